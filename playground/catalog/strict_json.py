"""JSON from strangers: bounded, and nothing in it that JSON does not have."""

from __future__ import annotations

import json
from typing import Any, NoReturn


def parse_json(raw: bytes) -> Any:
    """The value. Raises ValueError for anything that is not JSON in UTF-8: NaN, a key twice, endless nesting."""
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_once)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def parse_object(raw: bytes) -> dict[str, Any]:
    """The value, which must be an object. Raises ValueError."""
    value = parse_json(raw)
    if not isinstance(value, dict):
        raise ValueError("it is not an object")  # noqa: TRY004  one kind of error for all that is malformed
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found
