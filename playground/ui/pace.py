"""How often a page is told how far an answer is: fewer times when many are watched at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

QUICKEST = 0.085
"""Seconds between two updates of one answer when few are followed: about 12 a second."""
SHARE = 0.004
"""Seconds per follower: one update costs the server about 1.5 ms, so that all together take under half a core."""


class Pace:
    """Counts who follows an answer. Lives in the event loop; not for threads."""

    def __init__(self) -> None:
        self._followers = 0

    @contextmanager
    def follower(self) -> Iterator[None]:
        """Count one more for the length of the body."""
        self._followers += 1
        try:
            yield
        finally:
            self._followers -= 1

    @property
    def interval(self) -> float:
        """Seconds to wait between two updates."""
        return max(QUICKEST, SHARE * self._followers)
