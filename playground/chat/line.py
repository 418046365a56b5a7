"""First come, first served: how many answers are written at the same time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from playground.chat.run import Run
from playground.domain import Queued
from playground.errors import Busy


class Line:
    """`places` runs go on at once; up to `longest` more wait and are told their position (1 is next)."""

    def __init__(self, places: int, longest: int) -> None:
        self._free = places
        self._longest = longest
        self._waiting: list[Run] = []
        self._moved = threading.Condition()

    def join(self, run: Run) -> None:
        """Take a position at the end of the line.

        Raises Busy when the line is as long as it may get.
        """
        with self._moved:
            if len(self._waiting) - self._free >= self._longest:
                raise Busy("Too many people are waiting for an answer right now. Try again in a minute.")
            self._waiting.append(run)

    def leave(self, run: Run) -> None:
        """Give up a position."""
        with self._moved:
            self._waiting.remove(run)
            self._moved.notify_all()

    @contextmanager
    def place(self, run: Run) -> Iterator[None]:
        """Wait for a place, and keep it for the body. A run that is asked to end goes on at once, without a place."""
        run.when_stopped(self._notify)
        try:
            held = self._wait(run)
        finally:
            run.when_stopped(None)
        try:
            yield
        finally:
            with self._moved:
                self._free += held
                self._moved.notify_all()

    def _wait(self, run: Run) -> int:
        told = 0
        with self._moved:
            while not run.stopping:
                position = self._waiting.index(run) + 1 - self._free
                if position <= 0:
                    break
                if position != told:
                    run.emit(Queued(position))
                    told = position
                self._moved.wait()
            held = 0 if run.stopping else 1
            self._waiting.remove(run)
            self._free -= held
            self._moved.notify_all()
            return held

    def _notify(self) -> None:
        with self._moved:
            self._moved.notify_all()
