"""The gate for what a model only held possible: nothing of it is shown that the policy would not show as an answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from playground.domain import Direction, Language
from playground.moderation.contract import Moderator, OutputGuard
from playground.moderation.redaction import guess_language

SCREENING_SECONDS = 2.0
"""How long the gate is asked about what was only possible; once that is over, the rest is not cleared."""


class Mask:
    """Screens texts that end here; `new_guard` makes the guard of an answer to the same question."""

    def __init__(self, new_guard: Callable[[], OutputGuard]) -> None:
        self._new_guard = new_guard
        self._alone: dict[str, bool] = {}  # texts by themselves, as they were judged
        self._seconds = SCREENING_SECONDS

    @property
    def spent(self) -> bool:
        """Whether the time for what was only possible is over: `clears` then says no to everything."""
        return self._seconds <= 0

    def clears(self, before: str, text: str) -> bool:
        """Whether `text` may be shown after `before`, which was released. What would be covered may not.

        It is read by itself, too: where it goes on in the middle of a word it must be fit to be shown without it.
        """
        if not text:
            return True
        if self.spent:
            return False
        began = time.monotonic()
        try:
            return self._clears_after(before, text) and (
                not (before[-1:].isalnum() and text[0].isalnum()) or self._clears_alone(text)
            )
        finally:
            self._seconds -= time.monotonic() - began

    def _clears_after(self, before: str, text: str) -> bool:
        guard = self._new_guard()
        again = guard.resume(before)
        return _released(guard, text) == again + text

    def _clears_alone(self, text: str) -> bool:
        if text not in self._alone:
            self._alone[text] = self.cleared(text) == text
        return self._alone[text]

    def cleared(self, text: str) -> str:
        """What of a whole text may be shown: all of it, or what comes before the place where the gate stops it."""
        return _released(self._new_guard(), text)


def _released(guard: OutputGuard, text: str) -> str:
    first = guard.feed(text)
    return first.text if first.blocked else first.text + guard.finish().text


def answer_mask(moderator: Moderator, asked: Sequence[str], language: Language, model_id: str) -> Mask:
    """What stands between a model and a person, as for an answer to the conversation `asked`."""
    spoken = guess_language(asked[-1], language)

    def new_guard() -> OutputGuard:
        return moderator.guard(Direction.OUTPUT, context=asked, language=spoken, model_id=model_id, counted=False)

    return Mask(new_guard)
