"""What can please in an answer besides its content: how long it is, and how much markdown it uses.

The features and their form are the public arena's (style control): counts of both answers, compared as
(a - b) / (a + b). Length is in characters, so that models with different tokenizers are measured alike.
"""

from __future__ import annotations

import re
from dataclasses import astuple, dataclass

from playground.arena.votes import Floats

_HEADERS = re.compile(r"^ {0,3}#{1,6}\s", re.MULTILINE)
_LISTS = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s", re.MULTILINE)
_BOLD = re.compile(r"\*\*[^*\n]+\*\*|__[^_\n]+__")
_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)

FEATURES = ("length", "headers", "lists", "bold")


@dataclass(frozen=True, slots=True)
class Style:
    """Counts of one answer, in the order of `FEATURES`; what stands in code blocks is no markdown."""

    length: int
    headers: int
    lists: int
    bold: int


def measure_style(answer: str) -> Style:
    """The style of an answer."""
    prose = _CODE.sub("", answer)
    return Style(
        length=len(answer),
        headers=len(_HEADERS.findall(prose)),
        lists=len(_LISTS.findall(prose)),
        bold=len(_BOLD.findall(prose)),
    )


def compare_styles(first: Style, second: Style) -> tuple[float, ...]:
    """One number from -1 to 1 for every feature: above 0 when the first answer has more of it."""
    pairs = zip(astuple(first), astuple(second), strict=True)
    return tuple((a - b) / (a + b) if a + b else 0.0 for a, b in pairs)


def scale_styles(differences: Floats) -> Floats:
    """Every feature with a spread of one over the votes; one that never differs stays zero."""
    spread = differences.std(axis=0)
    spread[spread == 0] = 1.0
    scaled: Floats = differences / spread
    return scaled
