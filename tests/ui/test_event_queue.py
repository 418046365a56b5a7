"""What Gradio keeps about the events of the named endpoints."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from starlette.requests import Request

from playground.ui.endpoints import build_endpoints
from playground.ui.event_queue import KEPT_EVENTS


async def _nothing(name: str, request: Request, arguments: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
    del request, arguments
    yield {"name": name}


async def _kept() -> int:
    """A loop runs here: without one Gradio makes one and never closes it."""
    return build_endpoints(_nothing)._queue.ANALYTICS_MAX_EVENTS


def test_few_events_are_kept() -> None:
    assert asyncio.run(_kept()) == KEPT_EVENTS
