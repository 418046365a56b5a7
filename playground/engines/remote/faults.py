"""What can go wrong with one server, sorted by what helps: asking another one, waiting, or neither."""

from __future__ import annotations

from enum import Enum

from playground.errors import PlaygroundError


class Remedy(Enum):
    """What to do after a failed attempt."""

    NONE = "none"  # the request itself is the trouble: no server would do better
    ANOTHER = "another"  # this server is set up wrongly: another one may do, asking this one again will not help
    LATER = "later"  # this server is down, slow or busy: another one, or this one in a while


class Fault(Exception):
    """An attempt that failed. `error` is what the person is told if it was the last one.

    `wait` is for how many seconds the server asked to be left alone (None: it did not say). `down` is whether the
    fault says something about the server's health.
    """

    def __init__(self, error: PlaygroundError, remedy: Remedy, *, wait: float | None = None, down: bool = True) -> None:
        super().__init__(error.code)
        self.error = error
        self.remedy = remedy
        self.wait = wait
        self.down = down


class Malformed(Exception):
    """A server's answer is not of the expected form; the text says what, and quotes nothing of it."""
