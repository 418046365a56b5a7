"""What a text says once the usual disguises are off: letters as digits, letters apart, ROT13, backwards, base64, hex.

Every reading keeps track of where its characters came from, so that what is found in it can be shown in the text as
given. A reading is only made where something points to it; plain text costs a few searches.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

from playground.moderation.normaliser import Normalised, normalise

_LEET = str.maketrans("013457@$!|", "oieastasil")
# A word of letters only is passed over as soon as it ends.
_CHUNK = re.compile(r"(?<![a-z0-9@$!|])[a-z]*+[0-9@$!|][a-z0-9@$!|]*")
_SIGN = re.compile(r"[013457@$!|].*[a-z]")
_LONGEST_WORD = 40
_APART = re.compile(r"(?<![^\W_])[^\W_](?:[ .\-_*·]{1,3}[^\W_](?![^\W_])){7,}")
_WORD_GAP = re.compile(r"[ .\-_*·]{2,}")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{16,}={0,2}")
_HEX = re.compile(r"(?<![0-9A-Fa-f])(?:[0-9A-Fa-f]{2}[\s:]?){10,}")
# Words an attack can hardly do without, as ROT13 and backwards show them: "ignore", "instruction", "system" ...
_ROT13 = re.compile(
    r"vtaber|qvfertneq|sbetrg|vafgehpgvba|flfgrz|cnffjbeq|cebzcg|erirny|cergraq|wnvyoernx|frperg|havgrq"
)
_BACKWARDS = re.compile(r"erongi|dragersid|tegrof|noitcurtsni|drowssap|tpmorp|laever|kaerbliaj|terces|metsys")
_LONGEST_CODE = 20_000


@dataclass(frozen=True, slots=True)
class Reading:
    """`text` in lower case; `disguise` names what was taken off ("" for none).

    `plain` is the text before that, where places in both correspond. `origins` maps positions of `text` to those of
    `view`; without a view the whole of `span` stands for every part of the text.
    """

    text: str
    disguise: str
    span: tuple[int, int]
    origins: tuple[int, ...] | None = None
    view: Normalised | None = None
    plain: str = ""

    def disguised(self, start: int, end: int) -> bool:
        """Whether the disguise made a difference to what stands at `start` to `end`."""
        return self.text[start:end] != self.plain[start:end]

    def place(self, start: int, end: int) -> tuple[int, int]:
        """The half-open span, in the text as given, of what stands at `start` to `end` here."""
        if self.view is None:
            return self.span
        if self.origins is None:
            return self.view.span(start, end)
        places = self.origins[start:end]
        return self.view.span(min(places), max(places) + 1)


def readings(text: str) -> Iterator[Reading]:
    """`text` as it stands, then every other way to read it that something points to."""
    view = normalise(text)
    plain = view.text.lower()
    whole = (0, len(text))
    yield Reading(plain, "", whole, None, view)
    letters = _CHUNK.sub(_as_letters, plain)
    if letters != plain:
        yield Reading(letters, "leetspeak", whole, None, view, plain)
    for match in _APART.finditer(plain):
        joined, origins = _joined(match)
        yield Reading(joined, "spaced", whole, origins, view)
    if _ROT13.search(plain):
        yield Reading(codecs.decode(plain, "rot13"), "rot13", whole, None, view)
    if _BACKWARDS.search(plain):
        yield Reading(plain[::-1], "backwards", whole, tuple(range(len(plain) - 1, -1, -1)), view)
    for span, decoded in _decoded(text):
        yield Reading(normalise(decoded).text.lower(), "encoded", span)


def _as_letters(match: re.Match[str]) -> str:
    """A word with signs or digits in front of or between its letters, in letters; anything else as it is."""
    word = match[0]
    if word.isdigit() or len(word) > _LONGEST_WORD or not _SIGN.search(word):
        return word
    return word.translate(_LEET)


def _joined(match: re.Match[str]) -> tuple[str, tuple[int, ...]]:
    """The letters together, wider gaps as spaces; and where each character stood."""
    letters: list[str] = []
    origins: list[int] = []
    for at, char in enumerate(match[0]):
        if char.isalnum():
            letters.append(char)
            origins.append(match.start() + at)
        elif letters[-1] != " " and _WORD_GAP.match(match[0], at):
            letters.append(" ")
            origins.append(match.start() + at)
    return "".join(letters), tuple(origins)


def _decoded(text: str) -> Iterator[tuple[tuple[int, int], str]]:
    for match in _BASE64.finditer(text):
        body = match[0].rstrip("=").replace("-", "+").replace("_", "/")[:_LONGEST_CODE]
        body = body[: len(body) - (len(body) % 4 == 1)]
        yield from _readable(match.span(), base64.b64decode(body + "=" * (-len(body) % 4)))
    for match in _HEX.finditer(text):
        digits = re.sub(r"[\s:]", "", match[0])[:_LONGEST_CODE]
        try:
            yield from _readable(match.span(), binascii.unhexlify(digits))
        except binascii.Error:
            continue


def _readable(span: tuple[int, int], content: bytes) -> Iterator[tuple[tuple[int, int], str]]:
    """What is text, mostly of letters and spaces; random bytes hardly ever are."""
    decoded = content.decode("utf-8", errors="ignore")
    least = 0.85 * max(len(decoded), len(content) / 2)
    if len(decoded) < max(8, least) or " " not in decoded.strip():
        return
    if sum(char.isalpha() or char in " .,;:!?'\n" for char in decoded) >= least:
        yield span, decoded
