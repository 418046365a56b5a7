"""The way in of every request: it gets an id, is counted and timed, and is refused once the server is ending."""

from __future__ import annotations

import logging
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playground.log import FACTS, about_request, known_id, request_id
from playground.metrics import Metrics
from playground.operation.ending import Ending
from playground.operation.health import WATCHED

log = logging.getLogger(__name__)

ID = "X-Request-ID"
AGAIN_SECONDS = 10
_API = "/v1/"
_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})
_CLOSING = "The server is being restarted. Ask again in a few seconds."
# Beginning of a path -> what it is called in figures; the first that fits.
_PARTS = (
    ("/v1/chat/completions", "api.chat"),
    ("/v1/completions", "api.completions"),
    ("/v1/moderations", "api.moderations"),
    ("/v1/models", "api.models"),
    (_API, "api.other"),
    ("/gradio_api/mcp", "api.mcp"),
    ("/gradio_api/", "api.gradio"),
    ("/static/", "static"),
    ("/export/", "export"),
    ("/workbench", "workbench"),
    ("/arena", "arena"),
    ("/en", "page"),
    ("/vi", "page"),
)
_WITHIN = (("/gradio_api/", ".events"), ("/assets/", ".files"), ("/static/", ".files"), ("/svelte/", ".files"))


def part_of(path: str) -> str:
    """The part of the site that a path belongs to: one of few, whatever was asked for."""
    if path in WATCHED or path == "/":
        return path[1:] or "entrance"
    part = next((name for start, name in _PARTS if path.startswith(start)), "other")
    if part not in {"page", "arena", "workbench"}:
        return part
    return part + next((name for inside, name in _WITHIN if inside in path), "")


class Reception:
    """Takes every request in, and hands it on."""

    def __init__(self, app: ASGIApp, metrics: Metrics, ending: Ending) -> None:
        self._app = app
        self._metrics = metrics
        self._ending = ending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; its id goes back to the client, and with the context to whatever works for it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        part, began, status = part_of(scope["path"]), time.perf_counter(), 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[ID] = request_id()
            await send(message)

        with about_request(known_id(Headers(scope=scope).get(ID, ""))):
            self._metrics.began()
            try:
                refused = self._ending.begun and scope["path"] not in WATCHED
                await (_refusal(scope["path"]) if refused else self._app)(scope, receive, noted)
            finally:
                self._end(part, scope["method"], status, time.perf_counter() - began)

    def _end(self, part: str, named: str, status: int, seconds: float) -> None:
        method = named if named in _METHODS else "other"  # clients may put anything there
        self._metrics.ended(part, method, status, seconds)
        level = logging.WARNING if status >= 500 else logging.INFO if part.startswith("api.") else logging.DEBUG
        if log.isEnabledFor(level):  # paths are not told: people's words may stand in them
            facts = {"part": part, "method": method, "status": status, "seconds": round(seconds, 4)}
            log.log(level, "%s %s: %d after %.3f s", method, part, status, seconds, extra={FACTS: facts})


def _refusal(path: str) -> Response:
    headers = {"Retry-After": str(AGAIN_SECONDS), "Cache-Control": "no-store", "Connection": "close"}
    if path.startswith(_API):
        error = {"message": _CLOSING, "type": "server_error", "param": None, "code": "closing"}
        return JSONResponse({"error": error}, 503, headers)
    return PlainTextResponse(_CLOSING, 503, headers)
