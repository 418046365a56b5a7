"""A text cut where something was found in it, so that a page can mark the places."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text, and what was found all over it."""

    text: str
    marks: tuple[str, ...] = ()


def marked_pieces(text: str, spans: Iterable[tuple[int, int, str]]) -> tuple[Piece, ...]:
    """The whole of `text` in pieces; spans are (start, end, mark), may overlap, and are cut to the text."""
    known = [(max(0, start), min(len(text), end), mark) for start, end, mark in spans]
    edges = sorted({0, len(text), *(edge for start, end, _ in known for edge in (start, end) if start < end)})
    pieces = []
    for start, end in pairwise(edges):
        marks = dict.fromkeys(mark for left, right, mark in known if left <= start and end <= right)
        pieces.append(Piece(text[start:end], tuple(marks)))
    return tuple(pieces)
