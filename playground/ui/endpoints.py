"""The named endpoints for Gradio's clients, at the root of the site: chat, compare, moderate, and no others."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Any, Protocol, cast

import gradio as gr
from fastapi import FastAPI
from gradio.events import api
from starlette.requests import Request
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from playground.errors import PlaygroundError
from playground.ui.event_queue import keep_few_events

NAMES = ("chat", "compare", "moderate")
# What Gradio's clients need to find these and to call them, and MCP's. Everything else below the root answers 404.
OPEN = re.compile(
    rf"/config/?|/gradio_api/(info/?|queue/join|queue/data|call/(v2/)?({'|'.join(NAMES)})(/\w+)?/?"
    r"|cancel|reset/?|heartbeat/[\w-]+|mcp(/.*)?)"
)
CLOSED: dict[str, Any] = {
    "footer_links": [],
    "run_history": False,
    "ssr_mode": False,
    "show_error": False,
    "pwa": False,
    "enable_monitoring": False,
    "mcp_server": False,
}
"""What Gradio brings and no part of this site uses."""
Snapshots = AsyncGenerator[dict[str, Any], None]


class RunTool(Protocol):
    """Does what an endpoint is for; see `playground.api.tools`."""

    def __call__(self, name: str, request: Request, arguments: dict[str, Any]) -> Snapshots:
        """Snapshots of what the endpoint `name` does, the last of which is the result."""
        ...


class Named:
    """Passes on what is meant for the endpoints, and answers 404 to the rest."""

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self.routes = routes

    @staticmethod
    def opens(path: str) -> bool:
        """Whether anything answers at this path."""
        return OPEN.fullmatch(path) is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or not."""
        if scope["type"] == "http" and not self.opens(scope["path"]):
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await self._app(scope, receive, send)


async def mount_endpoints(
    app: FastAPI, run: RunTool, guard: Callable[[ASGIApp], ASGIApp], routes: Sequence[BaseRoute] = ()
) -> None:
    """Serve the endpoints, and `routes` beside them, for whatever no other route of `app` answers.

    `guard` decides who may come in.
    """
    inner = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, routes=list(routes))
    gr.mount_gradio_app(inner, build_endpoints(run), path="/", **CLOSED)
    app.mount("/", Named(guard(inner), inner.routes))
    _live_together(app, inner)


def build_endpoints(run: RunTool) -> gr.Blocks:
    """A page without anything on it, whose listeners are the endpoints: their parameters are those of the tools."""

    async def chat(  # noqa: PLR0917  Gradio gives them by place
        request: gr.Request,
        message: str,
        model: str | None = None,
        system_prompt: str | None = None,
        history: list[dict[str, str]] | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
    ) -> Snapshots:
        """Answer a message, streamed: each value is the answer so far, the last one is whole."""
        asked = {"message": message, "model": model, "system_prompt": system_prompt, "history": history}
        async for snapshot in _run(
            run, "chat", request, {**asked, "temperature": temperature, "max_tokens": max_tokens}
        ):
            yield snapshot

    async def compare(  # noqa: PLR0917
        request: gr.Request,
        message: str,
        models: list[str],
        system_prompt: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
    ) -> Snapshots:
        """Ask two to four models the same, streamed: each value has all answers so far."""
        asked = {"message": message, "models": models, "system_prompt": system_prompt}
        chosen = {"temperature": temperature, "max_tokens": max_tokens}
        async for snapshot in _run(run, "compare", request, asked | chosen):
            yield snapshot

    async def moderate(request: gr.Request, text: str) -> Snapshots:
        """Check a text: whether it is flagged, scores by category, and the receipt of the decision."""
        async for snapshot in _run(run, "moderate", request, {"text": text}):
            yield snapshot

    endpoints = gr.Blocks(title="Playground", analytics_enabled=False)
    with endpoints:
        for name, function in zip(NAMES, (chat, compare, moderate), strict=True):
            api(function, api_name=name, concurrency_limit=None)
    keep_few_events(endpoints)
    return endpoints


async def _run(run: RunTool, name: str, request: gr.Request, arguments: dict[str, Any]) -> Snapshots:
    try:
        async with aclosing(run(name, cast("Request", request.request), arguments)) as snapshots:
            async for snapshot in snapshots:
                yield snapshot
    except PlaygroundError as error:
        raise gr.Error(str(error), print_exception=False) from None


def _live_together(app: FastAPI, inner: FastAPI) -> None:
    """Start and end `inner` with `app`, which does not do so for what is mounted."""
    outer: Callable[[Any], AbstractAsyncContextManager[Any]] = app.router.lifespan_context

    @asynccontextmanager
    async def both(application: Any) -> AsyncIterator[Any]:
        async with outer(application) as state, inner.router.lifespan_context(inner):
            yield state

    app.router.lifespan_context = both
