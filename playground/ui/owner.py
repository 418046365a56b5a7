"""Whose conversations these are: a random number in a cookie that only the server reads."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Protocol

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playground.errors import InvalidRequest

COOKIE = "playground_owner"
YEAR_SECONDS = 31_536_000
_FORM = re.compile(r"[0-9a-f]{32}")


class HasCookies(Protocol):
    """A request, Starlette's or Gradio's."""

    @property
    def cookies(self) -> Mapping[str, str]:
        """The cookies of the request."""
        ...


def new_owner() -> str:
    """128 random bits, as 32 hexadecimal digits."""
    return secrets.token_hex(16)


def owner_of(request: HasCookies) -> str:
    """The owner of a request that came through `OwnerCookie`."""
    owner = request.cookies.get(COOKIE, "")
    if not _FORM.fullmatch(owner):
        raise InvalidRequest("This request has no owner. Allow cookies for this page and reload it.")
    return owner


class OwnerCookie:
    """Gives every browser an owner: sets the cookie on the first answer, and shows it to the handlers at once.

    Only for what is below `paths`: files and health checks know nobody. `framed`: the page is shown in a frame of
    another site.
    """

    def __init__(self, app: ASGIApp, paths: tuple[str, ...], *, framed: bool = False) -> None:
        self._app = app
        self._paths = paths
        self._framed = framed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with an owner."""
        if (
            scope["type"] != "http"
            or not scope["path"].startswith(self._paths)
            or _FORM.fullmatch(HTTPConnection(scope).cookies.get(COOKIE, ""))
        ):
            await self._app(scope, receive, send)
            return
        owner = new_owner()
        cookie = _cookie_header(owner, secure=scope["scheme"] == "https", framed=self._framed)

        async def with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"set-cookie", cookie)]
            await send(message)

        await self._app(_with_owner(scope, owner), receive, with_cookie)


def _with_owner(scope: Scope, owner: str) -> Scope:
    others = [value for key, value in scope["headers"] if key == b"cookie"]
    kept = [part.strip() for value in others for part in value.decode("latin-1").split(";")]
    parts = [part for part in kept if part and not part.startswith(f"{COOKIE}=")]
    joined = "; ".join([*parts, f"{COOKIE}={owner}"]).encode("latin-1")
    headers = [(key, value) for key, value in scope["headers"] if key != b"cookie"]
    return {**scope, "headers": [*headers, (b"cookie", joined)]}


def cookie_attributes(*, framed: bool) -> str:
    """How far a cookie goes: to this site only, or, in a frame, to this site below the one that shows it."""
    return "SameSite=None; Secure; Partitioned" if framed else "SameSite=Lax"


def _cookie_header(owner: str, *, secure: bool, framed: bool) -> bytes:
    reach = cookie_attributes(framed=framed) + ("; Secure" if secure and not framed else "")
    return f"{COOKIE}={owner}; Path=/; Max-Age={YEAR_SECONDS}; HttpOnly; {reach}".encode("latin-1")
