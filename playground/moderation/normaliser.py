"""Text as a reader sees it: invisible characters gone, lookalikes and accents in one form, offsets kept.

What people do to get a word past a list is undone here once for all detectors; Vietnamese diacritics stay, because
without them harmless words become listed ones. Every span found in the result maps back to the text as given.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache

MARKS = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
# Control characters except tab, line feed and carriage return; soft hyphen; format and filler characters;
# bidirectional overrides and isolates; variation selectors; tags.
INVISIBLE = (
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb"
)
# Where the result has another length than the text: a character with combining marks, or invisible ones in between.
# Marks beyond the eighth are dropped unread: sorting an endless heap of them is quadratic.
_UNEVEN = re.compile(rf"([^\W_])([{MARKS}{INVISIBLE}]{{1,8}})[{MARKS}{INVISIBLE}]*|[{MARKS}{INVISIBLE}]+")
_INVISIBLE = re.compile(rf"[{INVISIBLE}]")
_UNEVEN_ASCII = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+")

# Letters that look like Latin ones, by the Latin letter; from the Unicode confusables (UTS 39), the usual ones only.
_LOOKALIKES = {
    "a": "аαɑᴀᎪ", "b": "ЬвВΒβƄᏴ", "c": "сСϲᴄⅽᏟ", "d": "ԁⅾᎠ", "e": "еЕёЁΕєҽᴇᎬ", "f": "ϝғƒ", "g": "ɡցԍᏀ", "h": "һНΗнᎻ",
    "i": "іІїЇιΙɩıᎥ", "j": "јЈϳᎫ", "k": "кКκΚᴋᏦ", "l": "ӏⅼʟᏞ", "m": "мМΜᴍⅿᎷ", "n": "пΝɴո", "o": "оОοΟσᴏօ",
    "p": "рРρΡᴘᏢ", "q": "ԛզ", "r": "гɾᴦᏒ", "s": "ѕЅꜱᏚ", "t": "тТτΤᴛᎢ", "u": "υսᴜʋ", "v": "ѵνᴠⅴᏙ", "w": "ѡωԝᴡᎳ",
    "x": "хХχΧⅹ", "y": "уУүγΥʏ", "z": "ᴢΖᏃ", "đ": "ðÐƉɖ",
}  # fmt: skip
# Ranges whose characters are styled forms of ASCII letters and digits (full-width, mathematical, circled ...).
_STYLED = ((0x2070, 0x209F), (0x2100, 0x214F), (0x2460, 0x24FF), (0x3000, 0x3000), (0xFF01, 0xFF5E), (0x1D400, 0x1D7FF),
           (0x1F130, 0x1F149))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Normalised:
    """`text` for matching, and how its positions map to those of the text as given.

    Between two breaks both run side by side: `places[i]` in `text` corresponds to `origins[i]` in the original.
    """

    text: str
    places: tuple[int, ...] = (0,)
    origins: tuple[int, ...] = (0,)
    length: int = 0

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The half-open span of the original that became `text[start:end]`, combining marks included."""
        return self._origin(start), self._origin_end(end)

    def _origin(self, place: int) -> int:
        at = bisect_right(self.places, place) - 1
        return min(self.origins[at] + place - self.places[at], self.length)

    def _origin_end(self, place: int) -> int:
        """The end is one past the last character; what was dropped directly behind that character belongs to it."""
        at = bisect_right(self.places, place - 1) - 1
        end = self.origins[at] + place - self.places[at]
        if at + 1 < len(self.places) and self.places[at + 1] == place:
            end = self.origins[at + 1]
        return min(end, self.length)


def normalise(text: str) -> Normalised:
    """`text` in NFC without invisible characters, with lookalikes of Latin letters replaced.

    The result may be lower-cased without moving a position (the one letter that grows, İ, is replaced here).
    Cost is linear in the text, whatever it holds (lone surrogates and heaps of combining marks included).
    """
    if text.isascii():
        if not _UNEVEN_ASCII.search(text):
            return Normalised(text, length=len(text))
        return _joined(text, _UNEVEN_ASCII)
    if not _special().search(text):
        return Normalised(text, length=len(text))
    return _joined(text.translate(_table()), _UNEVEN)


def _joined(text: str, uneven: re.Pattern[str]) -> Normalised:
    pieces: list[str] = []
    places, origins = [0], [0]
    done = written = 0
    for match in uneven.finditer(text):
        start, end = match.span()
        base = _composed(match) if uneven is _UNEVEN else ""
        pieces += (text[done:start], base)
        written += start - done
        if base:
            places.append(written)
            origins.append(start)
        written += len(base)
        places.append(written)
        origins.append(end)
        done = end
    pieces.append(text[done:])
    return Normalised("".join(pieces), tuple(places), tuple(origins), len(text))


def _composed(match: re.Match[str]) -> str:
    base, marks = match[1], match[2]
    if not base:
        return ""
    seen = unicodedata.normalize("NFC", base + _INVISIBLE.sub("", marks))
    return seen[0]


@lru_cache(maxsize=1)
def _table() -> dict[int, str]:
    table = {ord(char): latin for latin, chars in _LOOKALIKES.items() for char in chars}
    table[0x130] = "i"  # the only character whose lower case is longer than itself
    for first, last in _STYLED:
        for code in range(first, last + 1):
            plain = unicodedata.normalize("NFKC", chr(code))
            if len(plain) == 1 and plain.isascii():
                table[code] = plain
    table.update(dict.fromkeys(range(0xE0000, 0xE1000), "\u200b"))  # tags and further variation selectors
    table.update({0x1F150 + i: chr(97 + i) for i in range(26)} | {0x1F170 + i: chr(97 + i) for i in range(26)})
    return table


@lru_cache(maxsize=1)
def _special() -> re.Pattern[str]:
    """What may not be in normal form yet: ordinary text, Vietnamese included, has none of it but emoji."""
    letters = "".join(re.escape(chr(code)) for code in sorted(_table()) if code < 0x10000)
    return re.compile(f"[{letters}{MARKS}{INVISIBLE}\U00010000-\U0010ffff]")


@lru_cache(maxsize=1)
def _accents() -> dict[int, str]:
    table = {ord("đ"): "d", ord("ø"): "o", ord("ł"): "l"}
    for code in (*range(0xC0, 0x250), *range(0x1E00, 0x1F00)):
        plain = unicodedata.normalize("NFD", chr(code))[0]
        if plain.isascii() and len(chr(code).lower()) == 1:
            table[code] = plain
    return table


def fold_accents(text: str) -> str:
    """`text` with Latin letters stripped of their accents, character by character: for English words only."""
    return text if text.isascii() else text.translate(_accents())


_LATE = [first + tone for first, tones in (("o", "àáảãạèéẻẽẹ"), ("u", "ỳýỷỹỵ")) for tone in tones]
_EARLY = [tone + last for last, tones in (("a", "òóỏõọ"), ("e", "òóỏõọ"), ("y", "ùúủũụ")) for tone in tones]


def tone_variants(word: str) -> set[str]:
    """Vietnamese text in both placements of the tone mark: {"hoà", "hòa"} for either of them."""
    late, early = word, word
    for old, new in zip(_EARLY, _LATE, strict=True):
        late = re.sub(rf"{old}(?!\w)", new, late)
        early = re.sub(rf"{new}(?!\w)", old, early)
    return {word, late, early}
