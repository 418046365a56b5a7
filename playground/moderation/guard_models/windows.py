"""A text of any length in overlapping parts that a guard can read whole; nothing of it is left out."""

from __future__ import annotations

from collections.abc import Callable

OVERLAP = 200  # characters shared by neighbours
_CHARACTERS_PER_TOKEN = 8  # more than almost any text has; only bounds how much is measured at once


def cut(text: str, room: int, measure: Callable[[str], int]) -> list[tuple[int, int]]:
    """Spans of `text` that together cover it, each of at most `room` tokens by `measure`; one if all of it fits.

    Neighbours share `OVERLAP` characters, or half of a part that is shorter than twice as many.
    """
    spans: list[tuple[int, int]] = []
    start = 0
    while True:
        end = min(len(text), start + room * _CHARACTERS_PER_TOKEN)
        while (tokens := measure(text[start:end])) > room and end - start > 1:
            end = start + max(1, min(end - start - 1, (end - start) * room // tokens))
        spans.append((start, end))
        if end >= len(text):
            return spans
        start = max(end - min(OVERLAP, (end - start) // 2), start + 1)
