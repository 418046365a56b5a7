"""Talking to one server over HTTP, and to nobody else.

httpx is used and not `huggingface_hub.InferenceClient`: that one follows redirects to any host with the conversation in
the body, has one time limit for everything, gives out lines of any length, lets an unfinished stream go only together
with the whole client, and shares one connection pool with the Hub's downloads. Hugging Face's Inference Providers speak
OpenAI's protocol at one address, and a test holds this client's answers against InferenceClient's.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from playground.catalog.addresses import is_address, is_private
from playground.catalog.servers import ModelServer
from playground.engines.remote.chunks import read_json
from playground.engines.remote.faults import Fault, Malformed, Remedy
from playground.errors import ServerRefused, ServerUnreachable
from playground.log import request_id

if TYPE_CHECKING:
    import httpx

LARGEST_ERROR = 64 * 2**10  # bytes
LARGEST_LIST = 4 * 2**20
LARGEST_ANSWER = 64 * 2**20
_WRITE_SECONDS = 30.0
# Shorter than servers keep an idle connection (uvicorn: 5 s): a request must not meet one that is just being closed.
_KEEP_SECONDS = 2.0


class Connection:
    """A client for one server. Used on one event loop; no redirects, proxies, cookies or compression.

    `key` is sent to that server alone and shown nowhere.
    """

    def __init__(self, server: ModelServer, key: str, connect_seconds: float) -> None:
        import httpx  # noqa: PLC0415  only where a remote model is used

        self._server = server
        self._url = urlsplit(server.url)
        headers = {"Accept-Encoding": "identity", "User-Agent": "playground"}
        self._client = httpx.AsyncClient(
            headers=headers | ({"Authorization": f"Bearer {key}"} if key else {}),
            verify=trust(),
            timeout=httpx.Timeout(None, connect=connect_seconds, write=_WRITE_SECONDS),
            limits=httpx.Limits(max_connections=None, keepalive_expiry=_KEEP_SECONDS),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            follow_redirects=False,
            trust_env=False,
        )

    @asynccontextmanager
    async def post(self, path: str, body: Mapping[str, Any]) -> AsyncIterator[httpx.Response]:
        """Send a request below the server's `url` and read the answer's head; the connection ends with the context.

        Raises Fault when there is no connection.
        """
        async with self._send("POST", self._server.url + path, body) as response:
            yield response

    async def get(self, path: str) -> tuple[int, object]:
        """Status and JSON (None where it is none) of a path below `url`, or of one of the whole server (`//health`)."""
        root = f"{self._url.scheme}://{self._url.netloc}"
        url = root + path[1:] if path.startswith("//") else self._server.url + path
        async with self._send("GET", url) as response:
            return response.status_code, await read_object(response, LARGEST_LIST)

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.aclose()

    @asynccontextmanager
    async def _send(
        self, method: str, url: str, body: Mapping[str, Any] | None = None
    ) -> AsyncIterator[httpx.Response]:
        import httpx  # noqa: PLC0415

        target, headers = httpx.URL(url), {}
        if address := await self._checked_address():
            target, headers = target.copy_with(host=address), {"Host": self._url.netloc}
        if name := request_id():
            headers["X-Request-ID"] = name
        request = self._client.build_request(method, target, json=body, headers=headers)
        try:
            response = await self._client.send(request, stream=True)
        except httpx.HTTPError as error:
            raise unreachable(self._server, error) from None
        try:
            yield response
        finally:
            await response.aclose()

    async def _checked_address(self) -> str | None:
        """For plain http to a name: an address of it, once all of them were seen to be private; else None."""
        host = self._url.hostname or ""
        if self._url.scheme == "https" or self._server.here or is_address(host):
            return None
        port = self._url.port or 80
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise unreachable(self._server, error) from None
        addresses = [str(place[4][0]) for place in found]
        if not addresses or not all(is_private(address) for address in addresses):
            sentence = (
                f"{host} is not an address of a private network, and http can be read on the way. "
                f"Use https for {self._server.label} in the catalogue."
            )
            raise Fault(ServerRefused(sentence), Remedy.ANOTHER)
        return addresses[0]


@cache
def trust() -> ssl.SSLContext:
    """Which certificates count: the common authorities, or those of SSL_CERT_FILE. Reading them takes a while: once."""
    import httpx  # noqa: PLC0415

    return httpx.create_ssl_context()


async def read_object(response: httpx.Response, largest: int) -> object:
    """The JSON of an answer of at most `largest` bytes; None when it is longer or not JSON."""
    import httpx  # noqa: PLC0415

    content = bytearray()
    try:
        async for portion in response.aiter_raw():
            content += portion
            if len(content) > largest:
                return None
        return read_json(bytes(content))
    except (httpx.HTTPError, Malformed):
        return None


def unreachable(server: ModelServer, error: Exception) -> Fault:
    """No connection, or one that broke before the answer began."""
    sentence = (
        f"{server.label} cannot be reached ({_reason(error)}). Try again in a moment; if it stays so, whoever runs "
        "this playground should look at that server."
    )
    return Fault(ServerUnreachable(sentence), Remedy.LATER)


def _reason(error: Exception) -> str:
    """Why, in words; the exception's own text may name anything."""
    name, text = type(error).__name__, str(error).lower()
    if "certificate" in text:
        return "its certificate is not valid"
    known = {
        "ConnectTimeout": "no connection in time",
        "WriteTimeout": "it does not take the request in time",
        "RemoteProtocolError": "it ended the connection, or does not speak HTTP",
        "ReadError": "the connection broke",
        "WriteError": "the connection broke",
        "gaierror": "its name is not known",
    }
    if name == "ConnectError":
        return "its name is not known" if "name" in text or "address associated" in text else "nothing answers there"
    return known.get(name, "the connection failed")
