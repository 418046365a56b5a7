"""How many answers are written at the same time, and whose turn is next: owners take turns, each in their own order."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from playground.chat.run import Run
from playground.domain import Queued
from playground.errors import Busy


class Line:
    """`places` runs go on at once; up to `longest` more wait and are told their position (1 is next).

    Next is the run whose owner has the fewest runs before it, those that go on included; of two such runs the one whose
    owner's turn is longer ago, and then the one that came first. So somebody with a hundred questions delays nobody
    else by more than the answers that are being written. `elsewhere` tells how many runs an owner has in other
    processes: they count as runs before its next one.
    """

    def __init__(self, places: int, longest: int, elsewhere: Callable[[], Mapping[str, int]] = dict) -> None:
        self._elsewhere = elsewhere
        self._free = places
        self._served: Counter[str] = Counter()
        self._turn = 0
        self._latest: dict[str, int] = {}
        self._longest = longest
        self._waiting: list[Run] = []
        self._turns: dict[str, int] = {}
        self._moved = threading.Condition()

    def join(self, run: Run) -> None:
        """Take a position at the end of the line.

        Raises Busy when the line is as long as it may get. Of twice that for an owner who has nobody in it: one owner
        cannot shut the others out.
        """
        with self._moved:
            first = all(other.owner != run.owner for other in self._waiting)
            if len(self._waiting) - self._free >= self._longest * (2 if first else 1):
                raise Busy("Too many people are waiting for an answer right now. Try again in a minute.")
            self._waiting.append(run)
            self._order()
            self._moved.notify_all()  # others may have moved back

    def counts(self) -> tuple[int, int]:
        """How many have a place, and how many wait for one."""
        with self._moved:
            return self._served.total(), len(self._waiting)

    def leave(self, run: Run) -> None:
        """Give up a position."""
        with self._moved:
            self._waiting.remove(run)
            self._order()
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
                self._served[run.owner] -= held
                self._served += Counter()  # owners without a run are forgotten
                self._order()
                self._moved.notify_all()

    def _wait(self, run: Run) -> int:
        told = 0
        with self._moved:
            while not run.stopping:
                position = self._turns[run.id] + 1 - self._free
                if position <= 0:
                    break
                if position != told:
                    run.emit(Queued(position))
                    told = position
                self._moved.wait()
            held = 0 if run.stopping else 1
            self._waiting.remove(run)
            self._free -= held
            if held:
                self._served[run.owner] += 1
                self._turn += 1
                self._latest[run.owner] = self._turn
            self._order()
            self._moved.notify_all()
            return held

    def _order(self) -> None:
        """Work out whose turn is next."""
        before = Counter(self._served)
        before.update(self._elsewhere())
        ranks = {}
        for run in self._waiting:
            ranks[run.id] = before[run.owner]
            before[run.owner] += 1
        known = {run.owner for run in self._waiting} | set(self._served)
        self._latest = {owner: turn for owner, turn in self._latest.items() if owner in known}
        ordered = sorted(self._waiting, key=lambda run: (ranks[run.id], self._latest.get(run.owner, 0)))
        self._turns = {run.id: place for place, run in enumerate(ordered)}

    def _notify(self) -> None:
        with self._moved:
            self._moved.notify_all()
