"""The gate for what a model only held possible: nothing of it is shown that the policy would not show as an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from playground.moderation.contract import OutputGuard

_WINDOW = 240
"""Characters before a token that it is screened together with, cut between words."""


@dataclass(frozen=True, slots=True)
class Mask:
    """Screens texts that end here; `new_guard` makes the guard of an answer to the same question."""

    new_guard: Callable[[], OutputGuard]

    def clears(self, before: str, text: str) -> bool:
        """Whether `text` may be shown after `before`, which was cleared. What would be covered may not."""
        if not text:
            return True
        tail = before[-_WINDOW:]
        if len(before) > _WINDOW:
            tail = tail[tail.find(" ") + 1 :]
        return self.cleared(tail + text) == tail + text

    def cleared(self, text: str) -> str:
        """What of a whole text may be shown: all of it, or what comes before the place where the gate stops it."""
        guard = self.new_guard()
        first = guard.feed(text)
        return first.text if first.blocked else first.text + guard.finish().text

    def stops(self, text: str) -> bool:
        """Whether the gate stops the text somewhere."""
        guard = self.new_guard()
        return guard.feed(text).blocked or guard.finish().blocked
