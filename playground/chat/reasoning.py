"""Parting a model's thinking from its answer while both stream, with tags that may be split anywhere."""

from __future__ import annotations

from typing import NamedTuple

from playground.domain import ReasoningDelta, TextDelta

Kind = type[TextDelta] | type[ReasoningDelta]


class Part(NamedTuple):
    """Text of one kind, from the character `start` of everything the model wrote."""

    kind: Kind
    text: str
    start: int


class ReasoningSplitter:
    """Gives out the text between `tags` as reasoning and the rest as answer, without the tags.

    Without tags everything is answer. White space right after a tag is dropped: it belongs to the form. `thinking`: the
    opening tag came before the text.
    """

    def __init__(self, tags: tuple[str, str] | None, *, thinking: bool = False) -> None:
        self._tags = tags
        self._kind: Kind = ReasoningDelta if thinking else TextDelta
        self._rest = ""
        self._after_tag = thinking
        self._marks = [""] if thinking else []
        self._first = True
        self.read = 0
        """How many characters are certain to be answer, thinking or tag."""

    def feed(self, text: str) -> list[Part]:
        """The parts that are certain by now, in order."""
        parts: list[Part] = []
        if self._tags is None:
            self._add(parts, text)
            return parts
        self._rest += text
        while (at := self._rest.find(self._tag)) >= 0:
            self._add(parts, self._rest[:at])
            self._marks.append(self._tag)
            self._rest = self._rest[at + len(self._tag) :]
            self.read += len(self._tag)
            self._kind = ReasoningDelta if self._kind is TextDelta else TextDelta
            self._after_tag = True
        kept = _overlap(self._rest, self._tag)
        self._add(parts, self._rest[: len(self._rest) - kept])
        self._rest = self._rest[len(self._rest) - kept :]
        return parts

    def finish(self) -> list[Part]:
        """What was held back because it might have become a tag."""
        parts: list[Part] = []
        self._add(parts, self._rest)
        self._rest = ""
        return parts

    @property
    def frame(self) -> tuple[str, str] | None:
        """What stood before the thoughts and behind them, white space and all; the latter is empty without an end.

        None where there are no thoughts, and where they do not stand at the beginning alone.
        """
        if not self._first or not 1 <= len(self._marks) <= 2:
            return None
        return self._marks[0], "".join(self._marks[1:])

    @property
    def _tag(self) -> str:
        opening, closing = self._tags or ("", "")
        return opening if self._kind is TextDelta else closing

    def _add(self, parts: list[Part], text: str) -> None:
        self.read += len(text)
        if self._after_tag:
            shown = text.lstrip()
            self._marks[-1] += text[: len(text) - len(shown)]
            text = shown
        if text:
            self._first = self._first and bool(self._marks)
            parts.append(Part(self._kind, text, self.read - len(text)))
            self._after_tag = False


def _overlap(text: str, tag: str) -> int:
    """How many characters at the end of `text` are a beginning of `tag`."""
    for length in range(min(len(text), len(tag) - 1), 0, -1):
        if text.endswith(tag[:length]):
            return length
    return 0
