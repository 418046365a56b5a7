"""Whose share of a lent graphics card an answer uses, for requests that Gradio does not handle itself."""

from __future__ import annotations

import gradio as gr
from gradio.context import LocalContext
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send


class AskerContext:
    """Puts each request where the package that lends cards looks for it, as Gradio does for its own events."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, findable."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        before = LocalContext.request.set(gr.Request(Request(scope)))
        try:
            await self._app(scope, receive, send)
        finally:
            LocalContext.request.reset(before)
