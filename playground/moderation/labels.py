"""What a data set says about a text: labels of many forms, read as yes or no."""

from __future__ import annotations

import math
from collections.abc import Sequence

from playground.errors import InvalidRequest
from playground.moderation.categories import CATEGORIES

# How other data sets, Jigsaw's first of all, call our categories.
SYNONYMS = {
    "toxic": "toxicity",
    "severe_toxic": "severe_toxicity",
    "identity_hate": "identity_attack",
}
_YES, _NO = {"true", "yes", "t", "y"}, {"false", "no", "f", "n"}
_KEPT_VALUES = 12


class LabelReader:
    """Reads the values of label columns; `positive` are the values that mean yes.

    Without them 0 and 1, true and false, yes and no are understood; a fraction is a share of raters, positive from a
    half on; a negative number means that nobody labelled the row, as in Jigsaw's test set.
    """

    def __init__(self, positive: Sequence[str] = ()) -> None:
        self._positive = frozenset(_normal(value) for value in positive)
        self.unread: dict[str, None] = {}

    def read(self, value: object) -> bool:
        """Whether the label says yes. Raises ValueError with the reason when it says neither."""
        if self._positive:
            values = value if isinstance(value, list) else [value]
            return any(_normal(item) in self._positive for item in values)
        if isinstance(value, str) and value.strip().lower() in _YES | _NO:
            return value.strip().lower() in _YES
        number = _number(value)
        if number is None or number > 1:
            self._keep(value)
            raise ValueError("its label is neither 0 nor 1; --positive says which values are positive")
        if number < 0:
            raise ValueError("its label is negative: nobody labelled it")
        return number >= 0.5

    def _keep(self, value: object) -> None:
        """Remember what could not be read if it looks like the name of a class, to tell what there is."""
        text = str(value)
        if len(text) <= 32 and len(self.unread) < _KEPT_VALUES:
            self.unread[text] = None


def read_weight(value: object) -> float:
    """A weight of a row. Raises ValueError with the reason."""
    number = _number(value)
    if number is None or number < 0:
        raise ValueError("its weight is not a number of at least 0")
    return number


def category_named(name: str) -> str:
    """The category of that name, in our words or Jigsaw's. Raises InvalidRequest listing what there is."""
    category = SYNONYMS.get(name, name)
    if category not in CATEGORIES:
        raise InvalidRequest(f"Unknown category {name}; there are: {', '.join(CATEGORIES)}.")
    return category


def category_of_label(column: str) -> str | None:
    """The category that a label column is about, as far as its name tells."""
    name = column.strip().lower()
    category = SYNONYMS.get(name, name)
    return category if category in CATEGORIES else None


def _number(value: object) -> float | None:
    if isinstance(value, bool):
        return float(value)
    try:
        number = float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _normal(value: object) -> str:
    """One form for 1, 1.0, "1" and " 1 "; words as they are."""
    number = _number(value)
    return repr(number) if number is not None else str(value).strip()
