"""The HTTP API against its own description, by schemathesis: whatever fits or breaks it gets an answer, and no 500."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import schemathesis
from schemathesis import GenerationMode

from tests.api.conftest import Site
from tests.fuzz.depth import depths, hunt

OPERATIONS = [
    ("GET", "/models"),
    ("GET", "/models/{model_id}"),
    ("POST", "/chat/completions"),
    ("POST", "/completions"),
    ("POST", "/embeddings"),
    ("POST", "/moderations"),
]
ASKED_FOR_NOTHING = ("/models", "/models/{model_id}", "/embeddings")
"""They take no body, so there is nothing that would break their description."""
CASES = [
    pytest.param(method, path, mode, id=f"{method} {path} {mode.value}")
    for method, path in OPERATIONS
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    if mode is GenerationMode.POSITIVE or path not in ASKED_FOR_NOTHING
]
STATUSES = {200, 400, 404, 405, 413}
SECONDS = 30.0
"""For one request; a longer one hangs."""


@cache
def description(address: str) -> Any:
    """The API as it describes itself."""
    return schemathesis.openapi.from_url(f"{address}/v1/openapi.json")


def test_every_operation_is_tried(api: Site) -> None:
    found = [one.ok() for one in description(api.address).get_all_operations()]
    assert sorted((one.method.upper(), one.path) for one in found) == sorted(OPERATIONS)


@depths
@pytest.mark.parametrize(("method", "path", "mode"), CASES)
def test_no_request_breaks_it(api: Site, examples: int, method: str, path: str, mode: GenerationMode) -> None:
    def check(case: Any) -> None:
        answer = case.call(base_url=f"{api.address}/v1", timeout=SECONDS)
        assert answer.status_code in STATUSES, answer.text[:500]
        if answer.status_code >= 400:
            error = answer.json()["error"]
            assert set(error) >= {"message", "type", "param", "code"}
            assert error["message"][-1] in ".?…"

    operation = description(api.address)[path][method]
    hunt(examples // 4, check, operation.as_strategy(generation_mode=mode))
