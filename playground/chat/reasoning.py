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

    Without tags everything is answer. White space right after a tag is dropped: it belongs to the form.
    """

    def __init__(self, tags: tuple[str, str] | None) -> None:
        self._tags = tags
        self._kind: Kind = TextDelta
        self._rest = ""
        self._after_tag = False
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
    def _tag(self) -> str:
        opening, closing = self._tags or ("", "")
        return opening if self._kind is TextDelta else closing

    def _add(self, parts: list[Part], text: str) -> None:
        self.read += len(text)
        if self._after_tag:
            text = text.lstrip()
        if text:
            parts.append(Part(self._kind, text, self.read - len(text)))
            self._after_tag = False


def _overlap(text: str, tag: str) -> int:
    """How many characters at the end of `text` are a beginning of `tag`."""
    for length in range(min(len(text), len(tag) - 1), 0, -1):
        if text.endswith(tag[:length]):
            return length
    return 0
