"""A detector that must answer in time: one that does not is unavailable, and nobody waits for it any longer.

A thread cannot be ended from outside, so a call that hangs is left behind in a thread that does not keep the process
alive. While too many are left behind the detector is not called at all.

What keeps the interpreter's lock, as a search of `re` does, keeps everybody waiting whatever the limit: patterns of
detectors must be linear, and those of operators are searched by `regex`, which has a limit of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from copy import copy
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from playground.domain import Direction, Finding
from playground.errors import DetectorUnavailable
from playground.moderation.contract import Detector, facing

_MOST_LEFT_BEHIND = 4
_T = TypeVar("_T")


class _Call(Generic[_T]):
    """One piece of work, its result, and whether it is done."""

    def __init__(self, work: Callable[[], _T]) -> None:
        self._work = work
        self._done = threading.Event()
        self._result: list[_T] = []
        self._error: Exception | None = None

    def run(self) -> None:
        try:
            self._result.append(self._work())
        except Exception as error:  # noqa: BLE001 - raised again where the result is asked for
            self._error = error
        except BaseException as error:  # noqa: BLE001 - a panic of native code, which is no Exception
            self._error = DetectorUnavailable(f"The detector broke off ({type(error).__name__}).")
        finally:
            self._done.set()

    def wait(self, seconds: float) -> bool:
        return self._done.wait(seconds)

    def result(self) -> _T:
        if self._error is not None:
            raise self._error
        return self._result[0]


class Clerks:
    """Threads that do one call each and wait for the next; as many as are at work at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[SimpleQueue[_Call[Any]]] = []

    def hand(self, call: _Call[Any]) -> None:
        """Have the call done in another thread, at once."""
        with self._lock:
            desk = self._idle.pop() if self._idle else None
        if desk is None:
            desk = SimpleQueue()
            threading.Thread(target=self._serve, args=(desk,), name="detector", daemon=True).start()
        desk.put(call)

    def _serve(self, desk: SimpleQueue[_Call[Any]]) -> None:
        while True:
            desk.get().run()
            with self._lock:
                self._idle.append(desk)


class TimeLimited:
    """A detector whose calls end after `seconds`, with DetectorUnavailable if they are not done by then."""

    def __init__(self, detector: Detector, seconds: float) -> None:
        self.name = detector.name
        self.reach = detector.reach
        self.scope = detector.scope
        self._detector = detector
        self._seconds = seconds
        self._clerks = Clerks()
        self._lock = threading.Lock()
        self._late: list[_Call[Any]] = []

    @property
    def version(self) -> str:
        """The detector's own; it may change when a model is loaded."""
        return self._detector.version

    def facing(self, direction: Direction, context: Sequence[str] = ()) -> TimeLimited:
        """As the detector's, under the same limit; calls that are late count for all."""
        turned = facing(self._detector, direction, context)
        if turned is self._detector:
            return self
        limited = copy(self)
        limited._detector = turned
        return limited

    def scan(self, text: str) -> list[Finding]:
        """As the detector's; raises DetectorUnavailable when there is no answer in time."""
        return self._in_time(lambda: self._detector.scan(text))

    def unsettled(self, text: str) -> int:
        """As the detector's; raises DetectorUnavailable when there is no answer in time."""
        return self._in_time(lambda: self._detector.unsettled(text))

    def _in_time(self, work: Callable[[], _T]) -> _T:
        with self._lock:
            self._late[:] = [call for call in self._late if not call.wait(0)]
            busy = len(self._late) >= _MOST_LEFT_BEHIND
        if busy:
            raise DetectorUnavailable(f"{self.name} is still busy with earlier texts.")
        call = _Call(work)
        self._clerks.hand(call)
        if not call.wait(self._seconds):
            with self._lock:
                self._late.append(call)
            raise DetectorUnavailable(f"{self.name} did not answer within {self._seconds:g} seconds.")
        return call.result()


def limited(detector: Detector, seconds: float) -> Detector:
    """The detector with a time limit, unless it says of itself that it cannot hang (`prompt`): its cost is linear in
    the text and it waits for nothing, so a thread of its own would only cost time.
    """
    return detector if getattr(detector, "prompt", False) else TimeLimited(detector, seconds)
