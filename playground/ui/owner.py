"""Whose conversations these are: a random number in a cookie that only the server reads."""

from __future__ import annotations

import re
import secrets
from http.cookies import SimpleCookie

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "playground_owner"
YEAR_SECONDS = 31_536_000
_FORM = re.compile(r"[0-9a-f]{32}")


def new_owner() -> str:
    """128 random bits, as 32 hexadecimal digits."""
    return secrets.token_hex(16)


def owner_of(connection: HTTPConnection) -> str:
    """The owner of a request that came through `OwnerCookie`."""
    owner = connection.cookies.get(COOKIE, "")
    if not _FORM.fullmatch(owner):
        raise PermissionError("a request came in without an owner")
    return owner


class OwnerCookie:
    """Gives every browser an owner: sets the cookie on the first answer, and shows it to the handlers at once."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with an owner."""
        if scope["type"] != "http" or _FORM.fullmatch(HTTPConnection(scope).cookies.get(COOKIE, "")):
            await self._app(scope, receive, send)
            return
        owner = new_owner()
        cookie = _cookie_header(owner, secure=scope["scheme"] == "https")

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


def _cookie_header(owner: str, *, secure: bool) -> bytes:
    cookie: SimpleCookie = SimpleCookie({COOKIE: owner})
    cookie[COOKIE].update({"path": "/", "max-age": YEAR_SECONDS, "httponly": True, "samesite": "Lax", "secure": secure})
    return cookie[COOKIE].OutputString().encode("latin-1")
