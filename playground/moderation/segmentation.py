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
    "clause": Unit(re.compile(rf"[.!?…;:,–—]{_CLOSING}\s|\n|[。！？；，、]"), 24, 2048),
    "sentence": Unit(re.compile(rf"[.!?…]{_CLOSING}\s|\n|[。！？]"), 24, 2048),
    "line": Unit(re.compile(r"\n"), 24, 4096),
    "paragraph": Unit(re.compile(r"\n[ \t\r]{0,16}\n"), 24, 16384),
    "answer": Unit(re.compile(r"(?!)"), 24, 0),
}


def unit_ends(text: str, unit: Unit) -> tuple[list[int], int]:
    """Where the complete units of `text` end, in order, and where the last closing mark ended that was looked at.

    `text` begins where a unit begins; what follows the last end is a unit that is still growing.
    """
    ends: list[int] = []
    start = read = 0
    for match in unit.ends.finditer(text):
        read = match.end()
        while unit.longest and read - start > unit.longest:
            start += unit.longest
            ends.append(start)
        if read - start >= unit.shortest:
            start = read
            ends.append(start)
    while unit.longest and len(text) - start > unit.longest:
        start += unit.longest
        ends.append(start)
    return ends, read
