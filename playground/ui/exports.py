"""A person's conversations as a file: /export/conversations.json and .md, for whoever has the browser's cookie."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from playground.chat.export import EXPORTS
from playground.chat.service import ChatService
from playground.errors import PlaygroundError
from playground.ui.owner import owner_of

ROOT = "/export"


def export_routes(chat: ChatService) -> list[BaseRoute]:
    """One for each form."""
    return [_route(chat, ending) for ending in EXPORTS]


def _route(chat: ChatService, ending: str) -> Route:
    write, media_type = EXPORTS[ending]
    name = f"conversations.{ending}"

    def answer(request: Request) -> Response:
        try:
            pieces = write(chat, owner_of(request))
            first = next(pieces, "")  # what goes wrong here can still be told with a status
        except PlaygroundError as error:
            return PlainTextResponse(str(error), error.http_status, {"Cache-Control": "no-store"})
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return StreamingResponse(_with(first, pieces), media_type=media_type, headers=headers)

    return Route(f"{ROOT}/{name}", answer)


def _with(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest
