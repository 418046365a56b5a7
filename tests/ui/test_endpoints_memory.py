"""What Gradio keeps about the calls of the named endpoints."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from starlette.requests import Request

from playground.ui.endpoints import build_endpoints
from playground.ui.layout import KEPT_EVENTS


async def _nothing(name: str, request: Request, arguments: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
    del request, arguments
    yield {"name": name}


def test_few_events_are_kept() -> None:
    assert build_endpoints(_nothing)._queue.ANALYTICS_MAX_EVENTS == KEPT_EVENTS
