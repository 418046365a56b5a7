"""Where a stream may be cut: the units that are released at once.

Cuts depend on the text alone, never on how it arrived, so a text has the same units however it was streamed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_CLOSING = r"[\"'”’»)\]*_`]{0,4}"


@dataclass(frozen=True, slots=True)
class Unit:
    """A kind of unit: `ends` matches what closes one (the match belongs to it).

    A unit has at least `shortest` characters, so that screening costs a bounded number of looks at every character,
    and is cut at `longest` when nothing closes it. `longest` 0 means that it may be as long as it likes.
    """

    ends: re.Pattern[str]
    shortest: int
    longest: int


UNITS: dict[str, Unit] = {
    "clause": Unit(re.compile(rf"[.!?…;:,–—]{_CLOSING}\s|\n|[。！？；，、]"), 24, 1024),
    "sentence": Unit(re.compile(rf"[.!?…]{_CLOSING}\s|\n|[。！？]"), 24, 2048),
    "line": Unit(re.compile(r"\n"), 24, 4096),
    "paragraph": Unit(re.compile(r"\n[ \t\r]{0,16}\n"), 24, 16384),
    "answer": Unit(re.compile(r"(?!)"), 24, 0),
}


def unit_ends(text: str, unit: Unit) -> list[int]:
    """Where the complete units of `text` end, in order; the rest is a unit that is still growing.

    `text` begins where a unit begins.
    """
    ends: list[int] = []
    start = 0
    for match in unit.ends.finditer(text):
        while unit.longest and match.end() - start > unit.longest:
            start += unit.longest
            ends.append(start)
        if match.end() - start >= unit.shortest:
            start = match.end()
            ends.append(start)
    while unit.longest and len(text) - start > unit.longest:
        start += unit.longest
        ends.append(start)
    return ends
