"""What every request meets first: whose word about it counts, under which name it asks, from which site, how large.

Behind it the names in the Host header are the server's own, `client` and `scheme` are the visitor's as far as trusted
proxies tell them, and no answer tells a browser that a page of another site may read it unless the operator said so.
"""

from __future__ import annotations

import ipaddress
import unicodedata
from collections.abc import Collection, Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from playground.api.auth import listed
from playground.api.errors import problem_of
from playground.api.routes import PREFIX
from playground.config import Settings, Space
from playground.errors import ConfigError, InvalidRequest, NotAllowed
from playground.loopback import host_of, is_loopback

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

HEALTH = frozenset({"/healthz", "/readyz"})
"""Asked by programs that know the server by its number only; they tell nothing of anybody."""
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_ESCAPED_BYTES = 12  # the most that a character of a message takes in JSON
_FORWARDED = b"x-forwarded-"
# A Space can be reached through the Hub's proxies only, which ask from private addresses.
_HUB_PROXIES = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")


class FrontDoor:
    """Lets a request in, with what may be believed about it, or says in a sentence why not.

    `proxies` and `origins` are those of the functions below. A page of this server has the Host header's host in its
    Origin, or comes from one of `origins`. What only reads is let
    in from any site, as links must work; its answer stays unreadable there. The API decides about sites by itself, as
    a key opens it to any. Nothing here speaks another protocol than HTTP.
    """

    def __init__(self, app: ASGIApp, settings: Settings, proxies: list[str], origins: Collection[str]) -> None:
        self._networks = [ipaddress.ip_network(proxy) for proxy in proxies]
        self._behind_proxies = ProxyHeadersMiddleware(self._inside, proxies)  # type: ignore[arg-type]
        self._app = app
        self._names = frozenset(listed(settings.allowed_hosts.lower()))
        self._here_only = is_loopback(settings.host)
        self._origins = origins
        self._most = max(settings.max_body_kb * 1024, settings.max_message_chars * _ESCAPED_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http":
            believed = {**scope, "headers": believed_headers(scope, self._networks)}
            await self._behind_proxies(believed, receive, send)  # type: ignore[arg-type]
        elif scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _inside(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._check(HTTPConnection(scope), scope["path"], scope["method"])
        except (InvalidRequest, NotAllowed) as error:
            await problem_of(error).response(scope, receive, send)
            return
        await self._app(scope, bounded(scope, receive, self._most), send)

    def _check(self, connection: HTTPConnection, path: str, method: str) -> None:
        """Raises NotAllowed for a name that is not the server's, or a page that may not send this.

        Raises InvalidRequest for a path with a control character: not every part behind this finds its own in it.
        """
        if any(unicodedata.category(letter) == "Cc" for letter in path):
            raise InvalidRequest("The address holds a control character. Ask for one without.")
        host = host_of(connection)
        if path not in HEALTH:
            if self._names and not any(_is_named(host, name) for name in self._names):
                raise NotAllowed("This server does not answer under the name in the Host header. Ask its operator.")
            if self._here_only and not self._names and not is_loopback(host):
                raise NotAllowed(
                    "This server answers under the names of this machine only. "
                    "Its operator can add others: allowed_hosts."
                )
        of_api = path.startswith(f"{PREFIX}/")
        if method not in _READING and not of_api and not _is_own_site(connection, self._origins):
            raise NotAllowed("Web pages of other sites may not call this server. Its operator can allow them.")


def trusted_proxies(settings: Settings, space: Space | None = None) -> list[str]:
    """Whose word is taken for where a request comes from, and that it came by https: addresses and networks.

    On a Space the Hub's proxies are trusted as well; the last address before them is the visitor's. Raises ConfigError.
    """
    proxies = listed(settings.trusted_proxies)
    for proxy in proxies:
        try:
            ipaddress.ip_network(proxy)
        except ValueError as error:
            raise ConfigError(
                f"trusted_proxies holds {proxy!r}; write addresses or networks, such as 10.0.0.5 or 10.0.0.0/8."
            ) from error
    return proxies if space is None else [*proxies, *_HUB_PROXIES]


def allowed_origins(settings: Settings, space: Space | None = None) -> frozenset[str]:
    """The sites whose pages may call this server, besides its own. Raises ConfigError for what is no origin."""
    origins = listed(settings.allowed_origins)
    for origin in origins:
        parts = urlsplit(origin)
        if origin != f"{parts.scheme}://{parts.netloc}" or parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigError(f"allowed_origins holds {origin!r}; write scheme and host only: https://site.example.")
    return frozenset([*origins, *([f"https://{space.host}"] if space and space.host else [])])


def bounded(scope: Scope, receive: Receive, most: int) -> Receive:
    """`receive`, which raises an HTTPException (413) instead of giving out more than `most` bytes of a body."""
    declared = Headers(scope=scope).get("content-length", "0")
    too_large = not (declared.isascii() and declared.isdigit()) or int(declared[:20]) > most
    read = 0

    async def limited() -> Message:
        nonlocal read
        if too_large:
            raise HTTPException(413)
        message = await receive()
        read += len(message.get("body", b""))
        if read > most:
            raise HTTPException(413)
        return message

    return limited


def believed_headers(scope: Scope, proxies: Sequence[Network]) -> list[tuple[bytes, bytes]]:
    """The headers, with what proxies say of a request only where a trusted one says it.

    A trusted proxy's X-Forwarded-Host takes the place of Host. From anybody else X-Forwarded-* go, and a Via stays, so
    that nobody takes a request that came through something for one of this machine.
    """
    headers: list[tuple[bytes, bytes]] = list(scope["headers"])
    if _is_trusted(scope, proxies):
        named = Headers(raw=headers).get("x-forwarded-host", "").partition(",")[0].strip()
        if not named:
            return headers
        return [*((name, value) for name, value in headers if name != b"host"), (b"host", named.encode("latin-1"))]
    kept = [(name, value) for name, value in headers if not name.startswith(_FORWARDED)]
    return kept if len(kept) == len(headers) else [*kept, (b"via", b"untrusted")]


def _is_trusted(scope: Scope, proxies: Sequence[Network]) -> bool:
    try:
        address = ipaddress.ip_address(scope["client"][0])
    except (TypeError, ValueError):
        return False
    return any(address in network for network in proxies)


def _is_named(host: str, name: str) -> bool:
    return host == name or (name.startswith("*.") and host.endswith(name[1:]))


def _is_own_site(connection: HTTPConnection, origins: Collection[str]) -> bool:
    origin = connection.headers.get("origin")
    return origin is None or origin in origins or origin.partition("://")[2] == connection.headers.get("host")
