"""Who may enter the workbench: whoever gives the operator's token; without one, the person at this machine.

The person at this machine is recognised only if the server listens on a loopback address and nothing can stand in
between (see `playground.loopback`). Behind a proxy on the same machine a token must be set.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from playground.errors import StorageError, UserError
from playground.loopback import comes_from_here, is_loopback

ROOT = "/workbench"
LOGIN = f"{ROOT}/login"
COOKIE = "playground_operator"
SESSION_SECONDS = 12 * 3600
ATTEMPTS, ATTEMPTS_OF_ALL, ATTEMPT_SECONDS = 5, 100, 300
_MOST_SESSIONS = 100


class TooManyAttempts(UserError):
    """Wrong tokens were given too often; nothing is accepted for a while."""

    code = "too_many_attempts"
    http_status = 429


class Sessions(Protocol):
    """Sessions that are going on, by the hash of their cookie. Every method may raise StorageError."""

    def add(self, digest: str, seconds: float) -> None:
        """Begin one, which lasts so long."""
        ...

    def has(self, digest: str) -> bool:
        """Whether it goes on."""
        ...

    def end(self, digest: str) -> None:
        """End it."""
        ...


class LocalSessions:
    """See `Sessions`; of this process only, and safe to use from many threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends: dict[str, float] = {}
        self._lock = threading.Lock()

    def add(self, digest: str, seconds: float) -> None:
        """Begin one; the oldest of too many ends."""
        with self._lock:
            now = self._clock()
            self._ends = {known: end for known, end in self._ends.items() if end > now}
            while len(self._ends) >= _MOST_SESSIONS:
                del self._ends[next(iter(self._ends))]
            self._ends[digest] = now + seconds

    def has(self, digest: str) -> bool:
        """Whether it goes on."""
        with self._lock:
            return self._ends.get(digest, 0.0) > self._clock()

    def end(self, digest: str) -> None:
        """End it."""
        with self._lock:
            self._ends.pop(digest, None)


class Doorkeeper:
    """Decides who is the operator. `token` "" means that there is none; `host` is the address the server listens on.

    `sessions` None: those of this process alone.
    """

    def __init__(
        self, token: str, host: str, clock: Callable[[], float] = time.monotonic, sessions: Sessions | None = None
    ) -> None:
        self._token = _digest(token)
        self._host = host
        self._clock = clock
        self._sessions = sessions or LocalSessions(clock)
        self._failures: dict[str, deque[float]] = {}
        self._lock = threading.Lock()
        self.has_token = bool(token)

    def admits(self, connection: HTTPConnection) -> bool:
        """Whether this request is the operator's."""
        if not self.has_token:
            return is_loopback(self._host) and comes_from_here(connection)
        session = connection.cookies.get(COOKIE, "")
        try:
            return bool(session) and self._sessions.has(_digest(session).hex())
        except StorageError:  # nobody is let in unseen; signing in says what is wrong
            return False

    def open(self, token: str, address: str) -> str | None:
        """A new session for the right token; None for a wrong one.

        Raises TooManyAttempts after too many wrong ones, from this address or altogether, whatever the token;
        StorageError.
        """
        with self._lock:
            now = self._clock()
            self._forget(now)
            failures = self._failures.get(address, deque())
            if len(failures) >= ATTEMPTS or sum(map(len, self._failures.values())) >= ATTEMPTS_OF_ALL:
                raise TooManyAttempts("Too many wrong tokens. Wait a few minutes and try again.")
            if not self.has_token or not hmac.compare_digest(_digest(token), self._token):
                self._failures.setdefault(address, failures).append(now)
                return None
        session = secrets.token_urlsafe(32)
        self._sessions.add(_digest(session).hex(), SESSION_SECONDS)
        return session

    def close(self, session: str) -> None:
        """End a session."""
        self._sessions.end(_digest(session).hex())

    def _forget(self, now: float) -> None:
        for address, times in list(self._failures.items()):
            while times and times[0] <= now - ATTEMPT_SECONDS:
                times.popleft()
            if not times:
                del self._failures[address]


class HasRequest(Protocol):
    """An event of a page, as Gradio hands it over."""

    request: Any


def is_operator(event: HasRequest, doorkeeper: Doorkeeper) -> bool:
    """Whether an event of a page is the operator's."""
    return event.request is not None and doorkeeper.admits(event.request)


class OperatorGate:
    """Lets nothing below /workbench answer to anybody but the operator, the way in excepted."""

    def __init__(self, app: ASGIApp, doorkeeper: Doorkeeper) -> None:
        self._app = app
        self._doorkeeper = doorkeeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or lead to the way in."""
        path = scope.get("path", "")
        if scope["type"] == "lifespan" or not (path == ROOT or path.startswith(f"{ROOT}/")):
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await (await self._answerer(path, scope))(scope, receive, send)
        # Nothing here speaks another protocol: such a connection is not accepted.

    async def _answerer(self, path: str, scope: Scope) -> ASGIApp:
        """The app for the operator, else a refusal."""
        inside = path == LOGIN or await run_in_threadpool(self._doorkeeper.admits, HTTPConnection(scope))
        return self._app if inside else _refusal(scope)


def _refusal(scope: Scope) -> Response:
    if scope["method"] == "GET" and "/gradio_api/" not in scope["path"]:
        return RedirectResponse(LOGIN, status_code=303, headers={"Cache-Control": "no-store"})
    return JSONResponse({"detail": "This is the operator's. Open /workbench to sign in."}, status_code=401)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
