"""Requests to the Hub, and to nowhere else: bounded in size and time, repeated with patience, errors in words.

`huggingface_hub` names the addresses, finds the token and reads the answers; the requests are made here, because its
own wait without a limit (`timeout=None`), sleep as long as a server says, read answers of any size, and share one
client with everybody in the process. Nothing is told about this machine but the names and versions of these libraries.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import httpx

from playground.catalog.addresses import check_endpoint, check_target, origin, watch_target
from playground.catalog.refusals import refusal
from playground.catalog.strict_json import parse_json
from playground.errors import AccessNeeded, Cancelled, HubBusy, HubError, HubUnreachable

MAX_JSON_BYTES = 32 * 2**20
_REDIRECTS = 5
Cancel = Callable[[], bool]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long trouble is waited out: `attempts` in a row, pauses in seconds that double from `first`.

    A server that asks for a pause gets it, up to `obeyed` seconds; for longer the person is told instead. `answer` is
    the longest time for one whole answer of the API, `silence` for the next bytes of anything.
    """

    attempts: int = 5
    first: float = 0.5
    longest: float = 8.0
    obeyed: float = 60.0
    answer: float = 60.0
    silence: float = 20.0

    def pause(self, attempt: int, error: HubError) -> float | None:
        """Seconds to wait after the failed attempt (1 is the first) before the next; None: give up."""
        asked = error.retry_after if isinstance(error, HubBusy) else 0.0
        if attempt >= self.attempts or asked > self.obeyed or not isinstance(error, HubBusy | HubUnreachable):
            return None
        return max(asked, min(self.longest, self.first * 2.0 ** (attempt - 1)))


class HubClient:
    """One Hub, by its address. Safe to use from many threads.

    `token` None uses the one of the environment (`HF_TOKEN`) or of the Hub's own login; it is sent to the Hub's own
    address only, and never shown.
    """

    def __init__(
        self, endpoint: str, token: str | None = None, *, offline: bool = False, patience: Patience | None = None
    ) -> None:
        self.endpoint = check_endpoint(endpoint)
        self.offline = offline
        self.patience = patience or Patience()
        self._token = token
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None

    def get_json(self, path: str, parameters: Mapping[str, Any] | None = None, what: str = "") -> Any:
        """The answer of the API under `path`; `what` is the repository asked about, for errors. Raises HubError."""
        url = f"{self.endpoint}{path}"
        if parameters:
            url += f"?{httpx.QueryParams(dict(parameters))}"
        raw = self.get_bytes(url, MAX_JSON_BYTES, what)
        try:
            return parse_json(raw)
        except ValueError as error:
            raise HubError(f"The Hub gave an answer that cannot be read ({error!s:.60}). Try again later.") from error

    def get_bytes(self, url: str, limit: int, what: str = "") -> bytes:
        """A small answer, read whole. Raises HubError, also when it is longer than `limit` bytes."""
        return self.patiently(lambda: self._read(url, limit, what))

    def patiently(self, attempt: Callable[[], T], cancelled: Cancel | None = None) -> T:
        """What `attempt` returns, tried again after trouble that may pass. Raises its HubError, or Cancelled."""
        for number in range(1, self.patience.attempts + 1):
            try:
                return attempt()
            except HubError as error:
                pause = self.patience.pause(number, error)
                if pause is None:
                    raise
                wait(pause, cancelled)
        raise AssertionError("the last attempt either returns or raises")

    @contextmanager
    def open(self, url: str, headers: Mapping[str, str], what: str = "") -> Iterator[httpx.Response]:
        """A response whose body is still to be read (status 200, 206 or 416), after redirects that are allowed.

        Raises HubError; reading the body may raise what `trouble` translates.
        """
        if self.offline:
            raise HubUnreachable("The playground is set to be offline. Models that are here can be used.")
        with trouble(self.endpoint):
            response = self._send(url, headers)
        try:
            if response.status_code not in {200, 206, 416}:
                raise refusal(response.status_code, response.headers, self.endpoint, what)
            yield response
        finally:
            response.close()

    def close(self) -> None:
        """Give back the connections; may be called twice."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _send(self, url: str, headers: Mapping[str, str]) -> httpx.Response:
        for _ in range(_REDIRECTS):
            own = self._own_headers() if origin(url) == origin(self.endpoint) else {}
            watch = watch_target(url, self.endpoint)
            request = self._http().build_request(
                "GET",
                url,
                headers={**headers, **own, "Accept-Encoding": "identity"},
                extensions={} if watch is None else {"trace": watch},
            )
            response = self._http().send(request, stream=True)
            location = response.headers.get("Location")
            if not response.is_redirect or not location:
                return response
            response.close()
            url = urljoin(url, location)
            check_target(url, self.endpoint)
        raise HubError("The Hub sent this request around in circles. Try again later.")

    def _read(self, url: str, limit: int, what: str) -> bytes:
        deadline = time.monotonic() + self.patience.answer
        read = bytearray()
        with self.open(url, {}, what) as response, trouble(self.endpoint):
            for block in response.iter_raw():
                read += block
                if len(read) > limit:
                    raise HubError(f"The Hub's answer is longer than {limit >> 20} MiB, which cannot be right.")
                if time.monotonic() > deadline:
                    raise HubUnreachable("The Hub answers too slowly. Try again later.")
        return bytes(read)

    def _http(self) -> httpx.Client:
        with self._lock:
            if self._client is None:
                timeout = httpx.Timeout(self.patience.silence)
                self._client = httpx.Client(timeout=timeout, follow_redirects=False)
            return self._client

    def _own_headers(self) -> dict[str, str]:
        from huggingface_hub import constants  # noqa: PLC0415  it takes a moment to import, and only the Hub needs it
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # noqa: PLC0415

        constants.HF_HUB_DISABLE_TELEMETRY = True  # before anything is sent: no look at what else is installed here
        headers = build_hf_headers(token=self._token, library_name="playground", library_version="0.1.0")
        token = headers.get("authorization", "")
        if not token.isascii() or not token.isprintable():  # the error of the connection would show it
            raise AccessNeeded("This machine's access token holds characters that no token has. Log in again.")
        return headers


@contextmanager
def trouble(endpoint: str) -> Iterator[None]:
    """Turn what the connection raises into HubUnreachable."""
    try:
        yield
    except (httpx.RequestError, httpx.StreamError, httpx.InvalidURL, ValueError) as error:
        host = urlsplit(endpoint).hostname
        raise HubUnreachable(
            f"The Hub at {host} cannot be reached ({type(error).__name__}). Check the connection and try again; "
            "models that are here can be used meanwhile."
        ) from error


def wait(seconds: float, cancelled: Cancel | None = None) -> None:
    """Sleep, but wake up for whoever gives up. Raises Cancelled."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if cancelled is not None and cancelled():
            raise Cancelled("The download was stopped. What has arrived is kept.")
        time.sleep(min(left, 0.1))
