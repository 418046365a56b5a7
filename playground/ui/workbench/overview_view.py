"""Decisions in numbers, as the page draws them: rows of plots, a table, one sentence. No Gradio here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from playground.domain import Language
from playground.review.numbers import OTHER, UNAVAILABLE, Dimension, Numbers
from playground.ui.words import LANGUAGES, Words

DIMENSIONS: tuple[Dimension, ...] = ("category", "direction", "language", "model")
PERIODS = ("day", "week", "month")
ACTIONS = ("block", "redact", "warn", "allow")
MOST_BARS = 12


@dataclass(frozen=True, slots=True)
class OverviewView:
    """`lines` are points (time, name, count) and `bars` (name, action, count); `table` has a head and rows of text.

    Times are milliseconds since 1970.
    """

    lines: tuple[Mapping[str, object], ...]
    bars: tuple[Mapping[str, object], ...]
    summary: str
    head: tuple[str, ...]
    table: tuple[tuple[str, ...], ...]


def overview_view(numbers: Numbers, dimension: Dimension, words: Words) -> OverviewView:
    """The numbers in words."""
    heads = ("decisions", "blocked", "redacted", "warned", "shadowed", "rate")
    return OverviewView(
        lines=tuple(
            {"time": int(moment.timestamp() * 1000), "name": name_of(dimension, name, words), "count": count}
            for moment, name, count in numbers.series
        ),
        bars=_bars(numbers, dimension, words),
        summary=_summary(numbers, words),
        head=(words(f"workbench.by_{dimension}"), *(words(f"workbench.{head}") for head in heads)),
        table=_table(numbers, dimension, words),
    )


def name_of(dimension: Dimension, name: str, words: Words) -> str:
    """What people call it."""
    if name in (OTHER, UNAVAILABLE):
        return words(f"workbench.{name}")
    if dimension == "category":
        return category_title(name, words)
    if dimension == "direction":
        return words(f"workbench.{name}")
    languages: Mapping[Language, str] = LANGUAGES
    return dict(languages).get(name, name) if dimension == "language" else name  # type: ignore[call-overload]


def category_title(category: str, words: Words) -> str:
    """A category at the beginning of a line; its own name for one without words."""
    known = words.find(f"category.{category}")
    return known[:1].upper() + known[1:] if known else category


def _bars(numbers: Numbers, dimension: Dimension, words: Words) -> tuple[Mapping[str, object], ...]:
    return tuple(
        {"name": name_of(dimension, count.name, words), "action": words(f"workbench.did_{action}"), "count": value}
        for count in numbers.counts[:MOST_BARS]
        for action, value in zip(ACTIONS, (count.blocked, count.redacted, count.warned, count.shadowed), strict=True)
        if value
    )


def _table(numbers: Numbers, dimension: Dimension, words: Words) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            name_of(dimension, count.name, words),
            *(
                words.number(value)
                for value in (count.decisions, count.blocked, count.redacted, count.warned, count.shadowed)
            ),
            "–" if count.per_thousand is None else words.number(count.per_thousand, 1),
        )
        for count in numbers.counts
    )


def _summary(numbers: Numbers, words: Words) -> str:
    if not numbers.decisions:
        return words("workbench.no_decisions", messages=words.number(numbers.messages))
    return words(
        "workbench.summary",
        decisions=words.number(numbers.decisions),
        blocked=words.number(numbers.blocked),
        messages=words.number(numbers.messages),
    )
