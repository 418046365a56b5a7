"""Which words one answer has and the others do not. Linear in the text; no alignment is tried."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_PIECES = re.compile(r"\w+(?:['\u2019-]\w+)*|\W+?(?=\w|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of an answer; `own`: its words stand in no other answer."""

    text: str
    own: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """One answer, whole, in stretches; `own_words` counts the different words that only it has."""

    stretches: tuple[Stretch, ...]
    own_words: int


def count_words(text: str) -> int:
    """Words as people count them: what stands between spaces."""
    return len(text.split())


def find_differences(answers: Sequence[str]) -> tuple[Difference, ...]:
    """For every answer what only it says; capitals and small letters are the same word."""
    pieces = [_PIECES.findall(answer) for answer in answers]
    words = [{piece.casefold() for piece in parts if piece[0].isalnum()} for parts in pieces]
    found = []
    for at, parts in enumerate(pieces):
        others = set().union(*(known for other, known in enumerate(words) if other != at))
        own = words[at] - others
        found.append(Difference(_joined(parts, own), len(own)))
    return tuple(found)


def _joined(pieces: Sequence[str], own: set[str]) -> tuple[Stretch, ...]:
    """Neighbours of one kind as one stretch; what stands between two own words belongs to them."""
    marked = [piece.casefold() in own for piece in pieces]
    for at in range(1, len(pieces) - 1):
        between = not pieces[at][0].isalnum() and pieces[at].isspace()
        marked[at] = marked[at] or (between and marked[at - 1] and marked[at + 1])
    stretches: list[Stretch] = []
    for piece, mark in zip(pieces, marked, strict=True):
        if stretches and stretches[-1].own == mark:
            stretches[-1] = Stretch(stretches[-1].text + piece, mark)
        else:
            stretches.append(Stretch(piece, mark))
    return tuple(stretches)
