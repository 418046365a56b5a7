"""First come, first served, among owners who take turns."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from playground.chat.line import Line
from playground.chat.run import Run
from playground.domain import Queued
from playground.errors import Busy


class Holder:
    """A run that holds its place until it is let go."""

    def __init__(self, line: Line, owner: str = "anna") -> None:
        self.run = Run(owner)
        self.served = threading.Event()
        self.go = threading.Event()
        self.position: list[int] = []
        line.join(self.run)
        self.thread = threading.Thread(target=self._hold, args=(line,))
        self.thread.start()

    def _hold(self, line: Line) -> None:
        with line.place(self.run):
            self.served.set()
            self.go.wait(30)

    def leave(self) -> None:
        self.go.set()
        self.thread.join(30)

    @property
    def told(self) -> int | None:
        stage = self.run.snapshot().stage
        return stage.position if isinstance(stage, Queued) else None


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_those_who_wait_are_told_their_position_and_move_up() -> None:
    line = Line(places=2, longest=10)
    first, second = Holder(line), Holder(line)
    assert first.served.wait(30)
    assert second.served.wait(30)
    waiting = [Holder(line)]
    until(lambda: waiting[0].told == 1)
    waiting.append(Holder(line))
    until(lambda: waiting[1].told == 2)
    assert (first.told, second.told) == (None, None)
    second.leave()
    assert waiting[0].served.wait(30)
    until(lambda: waiting[1].told == 1)
    assert not waiting[1].served.is_set()
    first.leave()
    assert waiting[1].served.wait(30)
    for holder in waiting:
        holder.leave()


def test_a_run_that_is_stopped_leaves_the_line_at_once() -> None:
    line = Line(places=1, longest=10)
    first = Holder(line)
    assert first.served.wait(30)
    stopped = Holder(line)
    until(lambda: stopped.told == 1)
    behind = Holder(line)
    until(lambda: behind.told == 2)
    stopped.run.cancel()
    assert stopped.served.wait(30)
    until(lambda: behind.told == 1)
    stopped.leave()
    assert not behind.served.is_set()  # the stopped run had no place to give back
    first.leave()
    assert behind.served.wait(30)
    behind.leave()


def test_a_line_that_is_too_long_is_refused() -> None:
    line = Line(places=1, longest=1)
    first = Holder(line)
    assert first.served.wait(30)
    second = Holder(line)
    until(lambda: second.told == 1)
    with pytest.raises(Busy, match="Too many"):
        line.join(Run("anna"))
    first.leave()
    assert second.served.wait(30)
    third = Run("anna")
    line.join(third)
    line.leave(third)
    second.leave()


def test_owners_take_turns() -> None:
    line = Line(places=1, longest=10)
    first = Holder(line, "heavy")
    assert first.served.wait(30)
    heavy = [Holder(line, "heavy") for _ in range(3)]
    until(lambda: [holder.told for holder in heavy] == [1, 2, 3])
    other = Holder(line, "light")
    until(lambda: other.told == 1)
    until(lambda: [holder.told for holder in heavy] == [2, 3, 4])
    first.leave()
    assert other.served.wait(30)
    other.leave()
    for holder in heavy:
        assert holder.served.wait(30)
        holder.leave()


def test_one_owner_cannot_shut_the_others_out() -> None:
    line = Line(places=1, longest=2)
    first = Holder(line, "heavy")
    assert first.served.wait(30)
    heavy = [Holder(line, "heavy") for _ in range(2)]
    with pytest.raises(Busy):
        line.join(Run("heavy"))
    others = [Holder(line, name) for name in ("light", "lighter")]
    with pytest.raises(Busy):
        line.join(Run("lightest"))
    for holder in (first, *others, *heavy):
        assert holder.served.wait(30)
        holder.leave()
