"""The gate for what a model only held possible: nothing of it is shown that the policy would not show as an answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from playground.domain import Direction, Language
from playground.moderation.contract import Moderator, OutputGuard
from playground.moderation.redaction import guess_language

_WINDOW = 240
"""Characters before a token that it is screened together with, cut between words."""


@dataclass(frozen=True, slots=True)
class Mask:
    """Screens texts that end here; `new_guard` makes the guard of an answer to the same question."""

    new_guard: Callable[[], OutputGuard]
    _alone: dict[str, bool] = field(default_factory=dict)  # texts by themselves, as they were judged

    def clears(self, before: str, text: str) -> bool:
        """Whether `text` may be shown after `before`, which was cleared. What would be covered may not.

        It is read by itself, too: where it goes on in the middle of a word it must be fit to be shown without it.
        """
        if not text:
            return True
        tail = before[-_WINDOW:]
        if len(before) > _WINDOW:
            tail = tail[tail.find(" ") + 1 :]
        if self.cleared(tail + text) != tail + text:
            return False
        return not (before[-1:].isalnum() and text[0].isalnum()) or self._clears_alone(text)

    def _clears_alone(self, text: str) -> bool:
        if text not in self._alone:
            self._alone[text] = self.cleared(text) == text
        return self._alone[text]

    def cleared(self, text: str) -> str:
        """What of a whole text may be shown: all of it, or what comes before the place where the gate stops it."""
        guard = self.new_guard()
        first = guard.feed(text)
        return first.text if first.blocked else first.text + guard.finish().text

    def stops(self, text: str) -> bool:
        """Whether the gate stops the text somewhere."""
        guard = self.new_guard()
        return guard.feed(text).blocked or guard.finish().blocked


def answer_mask(moderator: Moderator, asked: Sequence[str], language: Language, model_id: str) -> Mask:
    """What stands between a model and a person, as for an answer to the conversation `asked`."""
    spoken = guess_language(asked[-1], language)

    def new_guard() -> OutputGuard:
        return moderator.guard(Direction.OUTPUT, context=asked, language=spoken, model_id=model_id)

    return Mask(new_guard)
