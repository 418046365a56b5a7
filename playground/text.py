"""Small questions about text that several rooms ask; nothing here knows what the text is for."""

from __future__ import annotations

import re
import unicodedata

_BIDI = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_NOT_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202d\u202e\ufffe\uffff]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACES = re.compile(r"\s+")
_WITHOUT_DECOMPOSITION = str.maketrans("đĐ", "dd")


def plain(text: str) -> str:
    """`text` with nothing in it but text: any line end becomes a newline; control characters and overrides of the
    writing direction are left out; half of a character pair, which no file can hold, becomes U+FFFD.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return _LONE_SURROGATE.sub("\ufffd", _NOT_TEXT.sub("", lines))


def fold(text: str) -> str:
    """`text` for comparing in a search: without case, accents and tone marks, so that "da nang" finds "Đà Nẵng"."""
    if text.isascii():
        return text.lower()
    parts = unicodedata.normalize("NFD", text.translate(_WITHOUT_DECOMPOSITION))
    return "".join(part for part in parts if not unicodedata.combining(part)).casefold()


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
