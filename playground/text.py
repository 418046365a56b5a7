"""Small questions about text that several rooms ask; nothing here knows what the text is for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

_BIDI = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_NOT_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202d\u202e\ufffe\uffff]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACES = re.compile(r"\s+")
_MARKS = range(0x0300, 0x0370)
_LATIN = (*range(0x00C0, 0x0250), *range(0x1E00, 0x1F00))


def _without_marks() -> dict[int, str | None]:
    """Latin letters to the same letters without accents and tone marks; marks that stand alone to nothing."""
    table: dict[int, str | None] = {code: unicodedata.normalize("NFD", chr(code))[0] for code in _LATIN}
    return table | dict.fromkeys(_MARKS) | {ord("đ"): "d", ord("Đ"): "d"}


_FOLDED = _without_marks()
FOLDED_LETTERS: Collection[int] = _FOLDED.keys()
"""Code points of the letters that `fold` takes accents from, and of the marks that it leaves out."""


def plain(text: str) -> str:
    """`text` with nothing in it but text: any line end becomes a newline; control characters and overrides of the
    writing direction are left out; half of a character pair, which no file can hold, becomes U+FFFD.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return without_halves(_NOT_TEXT.sub("", lines))


def without_halves(text: str) -> str:
    """`text` with U+FFFD for every half of a character pair: no file and no answer to a request can hold one."""
    return _LONE_SURROGATE.sub("\ufffd", text)


def fold(text: str) -> str:
    """`text` for comparing in a search: without case, accents and tone marks, so that "da nang" finds "Đà Nẵng"."""
    if text.isascii():
        return text.lower()
    return text.translate(_FOLDED).casefold()


def shorten(text: str, limit: int) -> str:
    """`text` on one line of at most `limit` characters, cut between words where it can be, ending in `…` if cut.

    Invisible characters that change the writing direction are left out: a title stands among the page's own words.
    """
    text = text.strip()
    line = _SPACES.sub(" ", _BIDI.sub("", text[: limit * 8]))
    if len(line) <= limit and len(text) <= limit * 8:
        return line
    cut = line[: limit - 1]
    word = cut.rfind(" ")
    return (cut[:word] if word > limit // 2 else cut).rstrip() + "…"
