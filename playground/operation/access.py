"""Who may read the figures: this machine, and elsewhere whoever gives the operator's token or the one for figures."""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from collections import deque
from collections.abc import Callable

from starlette.requests import HTTPConnection

from playground.config import Settings
from playground.errors import KeyNeeded, LimitReached
from playground.loopback import comes_from_here

MOST_WRONG, WRONG_SECONDS = 20, 300.0


class Reader:
    """Lets in who may read. Wrong tokens are counted, for the operator's opens more than figures."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._tokens = [_digest(token) for token in (settings.metrics_token, settings.operator_token) if token]
        self._clock = clock
        self._wrong: deque[float] = deque()
        self._lock = threading.Lock()

    def check(self, connection: HTTPConnection) -> None:
        """Raises KeyNeeded, or LimitReached after too many wrong tokens, whatever the token."""
        if comes_from_here(connection):
            return
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise KeyNeeded("Only this machine may read this without a token: send `Authorization: Bearer TOKEN`.")
        with self._lock:
            now = self._clock()
            while self._wrong and self._wrong[0] <= now - WRONG_SECONDS:
                self._wrong.popleft()
            if len(self._wrong) >= MOST_WRONG:
                raise LimitReached("Too many wrong tokens. Wait a few minutes.", WRONG_SECONDS)
            given = _digest(token.strip())
            if not any([hmac.compare_digest(given, known) for known in self._tokens]):  # noqa: C419  all of them, always
                self._wrong.append(now)
                raise KeyNeeded("This token does not open the figures. Its operator sets PLAYGROUND_METRICS_TOKEN.")


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
