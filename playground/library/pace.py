"""How fast a download is and how long it will take, from the last seconds of it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from playground.domain import Download

_WINDOW = 8.0
_STEP = 0.2


class Pace:
    """Told how many bytes are here; says so at most every fifth of a second. Not safe for threads by itself."""

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._total = total
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()

    def note(self, done: int) -> Download | None:
        """The numbers now; None when it is too early to say anything new."""
        now = self._clock()
        if self._seen and done < self._seen[-1][1]:
            self._seen.clear()  # a file is fetched anew
        if self._seen and now - self._seen[-1][0] < _STEP and done < self._total:
            return None
        self._seen.append((now, done))
        while now - self._seen[0][0] > _WINDOW:
            self._seen.popleft()
        elapsed = now - self._seen[0][0]
        speed = (done - self._seen[0][1]) / elapsed if elapsed > 0 else 0.0
        left = (self._total - done) / speed if speed > 0 else None
        return Download(done, self._total, speed, left)
