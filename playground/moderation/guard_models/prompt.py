"""What a guard model is asked: a published prompt with somebody's words in its places.

People's words are data from the first to the last step. They are put beside the prompt, never into it, so nothing in
them is read as a place or as a control token; what looks like the prompt's own marks (its tags, its speakers) is
altered so that the guard sees a quotation and not the end of the conversation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from playground.moderation.contract import Piece
from playground.moderation.normaliser import INVISIBLE

TEXT, QUESTION = "text", "question"
_PLACE = re.compile(r"\{(\w+)\}")
_TAG = re.compile(r"<[^<>\n]{1,60}>")
_INVISIBLE = re.compile(f"[{INVISIBLE}]")
_LINE = r"(?:^|(?<=[\n\r\x0b\x0c\x85\u2028\u2029]))"


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt, cut at its places: literal text at even positions, names of places at odd ones."""

    parts: tuple[str, ...]

    @property
    def places(self) -> tuple[str, ...]:
        """The names of the places, in order."""
        return self.parts[1::2]

    @property
    def literal(self) -> str:
        """Everything but the places."""
        return "".join(self.parts[::2])

    def fill(self, constants: Mapping[str, str], words: Mapping[str, str]) -> tuple[Piece, ...]:
        """The prompt with `constants` as part of it and people's `words` as pieces of their own."""
        pieces: list[Piece] = []
        markup = ""
        for at, part in enumerate(self.parts):
            if at % 2 and part in words:
                pieces += [Piece(markup, markup=True), Piece(words[part])]
                markup = ""
            else:
                markup += constants[part] if at % 2 else part
        return (*pieces, Piece(markup, markup=True))


def parse_template(source: str) -> Template:
    """The template in a text with {places}."""
    return Template(tuple(_PLACE.split(source)))


class Quoter:
    """Makes people's words harmless for one form of prompts.

    The tags of its templates lose their angle brackets, its `speakers` at the start of a line become quoted, characters
    that nobody sees are left out. Other text stays as it is.
    """

    def __init__(self, templates: Iterable[Template], speakers: Iterable[str]) -> None:
        tags = {tag for template in templates for tag in _TAG.findall(template.literal)}
        self._tags = (
            re.compile(rf"[<＜﹤]\s*({_any(tag[1:-1] for tag in tags)})\s*[>＞﹥]", re.IGNORECASE) if tags else None
        )
        marks = _any(speakers).replace(":", "[:：]")
        self._speakers = re.compile(rf"{_LINE}([^\S\n\r]*[*_#]*)({marks})", re.IGNORECASE) if marks else None

    def __call__(self, words: str) -> str:
        """The words as the guard shall read them."""
        words = _INVISIBLE.sub("", words)
        if self._tags:
            words = self._tags.sub(r"‹\1›", words)
        if self._speakers:
            words = self._speakers.sub(r"> \1\2", words)
        return words.strip()


def _any(texts: Iterable[str]) -> str:
    """A pattern for any of the texts, the longest first, with any white space for a space."""
    ordered = sorted(texts, key=len, reverse=True)
    return "|".join(r"\s+".join(re.escape(word) for word in text.split()) for text in ordered)
