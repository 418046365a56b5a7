"""The events of one run, kept so that anybody can follow from any point without one object per token.

A position counts characters of text and single events. Neighbouring deltas are merged into blocks, and a state
(queued, loading, checking) gives way to whatever comes next, so memory follows the length of the text.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace

from playground.domain import ChatEvent, Checking, Loading, Queued, ReasoningDelta, TextDelta

BLOCK_CHARS = 2048
_STATES = (Queued, Loading, Checking)
_DELTAS = (TextDelta, ReasoningDelta)


class EventLog:
    """Not safe for threads by itself: the run that owns it holds a lock."""

    def __init__(self) -> None:
        self.position = 0
        self._ends: list[int] = []
        self._events: list[ChatEvent] = []

    def append(self, event: ChatEvent) -> None:
        """Add an event at the end; an empty delta is nothing."""
        if isinstance(event, TextDelta | ReasoningDelta) and not event.text:
            return
        begin = self.position
        self.position += len(event.text) if isinstance(event, TextDelta | ReasoningDelta) else 1
        if self._events and isinstance(self._events[-1], _STATES):
            self._events.pop()
            self._ends.pop()
        if self._merged(event, begin):
            self._ends[-1] = self.position
        else:
            self._events.append(event)
            self._ends.append(self.position)

    def _merged(self, event: ChatEvent, begin: int) -> bool:
        if not self._events or self._ends[-1] != begin:  # after a state there is a gap in the positions
            return False
        last = self._events[-1]
        for kind in _DELTAS:
            if isinstance(last, kind) and isinstance(event, kind) and len(last.text) < BLOCK_CHARS:
                self._events[-1] = replace(last, text=last.text + event.text)
                return True
        return False

    def tick(self) -> None:
        """Move the position on for a change that is no event."""
        self.position += 1

    def after(self, position: int) -> list[ChatEvent]:
        """What came after `position`; a delta that had begun before is cut."""
        first = bisect_right(self._ends, position)
        fresh = self._events[first:]
        if fresh and isinstance(fresh[0], TextDelta | ReasoningDelta):
            missing = self._ends[first] - position
            if missing < len(fresh[0].text):
                fresh[0] = replace(fresh[0], text=fresh[0].text[-missing:])
        return fresh

    def joined(self, kind: type[TextDelta] | type[ReasoningDelta]) -> str:
        """All text of one kind so far."""
        return "".join(event.text for event in self._events if isinstance(event, kind))
