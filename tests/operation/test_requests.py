"""Ids of requests, from the client into the worker; and the few names that figures know the site by."""

from __future__ import annotations

import logging
import re
import time
from dataclasses import replace

import pytest

from playground.engines.registry import ENGINES
from playground.log import TextFormatter
from playground.operation.requests import ID, part_of
from tests.operation.conftest import Watched

MINE = "0123456789abcdef0123456789abcdef"


class Lines(logging.Handler):
    """What is logged, as it is written."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(TextFormatter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    caplog.set_level(logging.DEBUG, "playground")
    handler = Lines()
    logging.getLogger("playground").addHandler(handler)
    yield handler.lines  # type: ignore[misc]
    logging.getLogger("playground").removeHandler(handler)


def ask(watched: Watched, **headers: str) -> str:
    body = {"model": "echo", "messages": [{"role": "user", "content": "secret words"}]}
    answer = watched.here.post("/v1/chat/completions", json=body, headers=headers)
    assert answer.status_code == 200
    assert watched.services.chat.wait_idle(10)  # its thread writes its line when the client has the answer
    return str(answer.headers[ID])


def test_an_id_goes_with_the_request_to_the_run_and_back(watched: Watched, lines: list[str]) -> None:
    assert ask(watched, **{ID: MINE}) == MINE
    told = [line for line in lines if line.endswith(f"[{MINE}]")]
    assert any(" of echo: stop after " in line for line in told)  # logged by the run's own thread
    assert any("POST api.chat: 200 after " in line for line in told)
    assert "secret" not in "".join(lines)


def test_what_is_no_id_is_replaced(watched: Watched) -> None:
    assert len({ask(watched), ask(watched, **{ID: "my secret words"}), ask(watched)}) == 3


def test_an_id_reaches_the_worker(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(ENGINES, "echo", replace(ENGINES["echo"], in_worker=True))  # type: ignore[misc]
    monkeypatch.setattr("playground.engines.worker_engine.in_force", lambda: ("debug", "text"))
    ask(watched, **{ID: MINE})
    told, limit = "", time.monotonic() + 20
    while not re.search(rf"DEBUG playground.engines.worker: generate 1: done after \S+ s \[{MINE}\]", told):
        assert time.monotonic() < limit
        time.sleep(0.01)
        told += capfd.readouterr().err


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/", "entrance"),
        ("/healthz", "healthz"),
        ("/v1/chat/completions", "api.chat"),
        ("/v1/models/some/thing", "api.models"),
        ("/v1/anything else", "api.other"),
        ("/gradio_api/call/chat", "api.gradio"),
        ("/gradio_api/mcp/", "api.mcp"),
        ("/en/", "page"),
        ("/vi/gradio_api/queue/join", "page.events"),
        ("/arena/en/assets/x.js", "arena.files"),
        ("/workbench/login", "workbench"),
        ("/static/page.css", "static"),
        ("/export/chats.json", "export"),
        ("/.env", "other"),
        ("/my secret words", "other"),
    ],
)
def test_every_path_has_one_of_few_names(path: str, part: str) -> None:
    assert part_of(path) == part


def test_a_strange_method_is_not_told(watched: Watched, lines: list[str]) -> None:
    watched.here.request("SECRET", "/v1/models")
    assert "SECRET" not in "".join(lines) + watched.figures()
