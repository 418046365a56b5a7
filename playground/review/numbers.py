"""Decisions counted: by category, direction, language or model, and over time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from playground.domain import Action, Direction
from playground.moderation.screening import strictest
from playground.storage.decisions import Decision

Dimension = Literal["category", "direction", "language", "model"]
Period = Literal["day", "week", "month"]
UNAVAILABLE = "unavailable"
"""Stands for a category where a check could not run."""
OTHER = "other"
MOST_LINES = 6

_NAMES: Mapping[Dimension, Callable[[Decision], str]] = {
    "category": lambda decision: decision.ruling.finding.category if decision.ruling else UNAVAILABLE,
    "direction": lambda decision: decision.direction.value,
    "language": lambda decision: decision.language,
    "model": lambda decision: decision.model_id or "-",
}
_BINS: Mapping[Period, tuple[timedelta, int]] = {
    "day": (timedelta(hours=1), 24),
    "week": (timedelta(hours=6), 28),
    "month": (timedelta(days=1), 30),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Decisions of one name; `shadowed`: only a rule on trial spoke. `per_thousand` messages, where they are known."""

    name: str
    decisions: int
    blocked: int
    redacted: int
    warned: int
    shadowed: int
    per_thousand: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """`series` is (start of a stretch of time, name, decisions), with zeros, for the names with most decisions."""

    decisions: int
    messages: int
    blocked: int
    counts: tuple[Count, ...]
    series: tuple[tuple[datetime, str, int], ...]


def start_of(period: Period, now: datetime) -> datetime:
    """When the period that ends now began."""
    length, count = _BINS[period]
    return _floor(now, length) - (count - 1) * length


def count_decisions(
    decisions: Sequence[Decision],
    messages: Mapping[tuple[Direction, str], int],
    dimension: Dimension,
    period: Period,
    now: datetime,
) -> Numbers:
    """Count what was stored since `start_of(period, now)`; `messages` are those stored in that time.

    A decision with two categories counts once for each. What the gate blocked on its way in was not stored as a message
    and is added here, so that rates are per message that was looked at.
    """
    groups: dict[str, list[Decision]] = defaultdict(list)
    for decision in decisions:
        groups[_NAMES[dimension](decision)].append(decision)
    seen = _looked_at(decisions, messages)
    counts = [_count(name, rows, _base(dimension, name, seen)) for name, rows in groups.items()]
    counts.sort(key=lambda count: (-count.decisions, count.name))
    whole = _count("", decisions, None)
    return Numbers(
        decisions=whole.decisions,
        messages=sum(seen.values()),
        blocked=whole.blocked,
        counts=tuple(counts),
        series=_series(groups, [count.name for count in counts], period, now),
    )


def _verdicts(decisions: Iterable[Decision]) -> dict[str, list[Decision]]:
    verdicts: dict[str, list[Decision]] = defaultdict(list)
    for decision in decisions:
        verdicts[decision.verdict_id].append(decision)
    return verdicts


def _count(name: str, decisions: Iterable[Decision], base: int | None) -> Count:
    actions = Counter(strictest(rows) for rows in _verdicts(decisions).values())
    total = sum(actions.values())
    return Count(
        name=name,
        decisions=total,
        blocked=actions[Action.BLOCK],
        redacted=actions[Action.REDACT],
        warned=actions[Action.WARN],
        shadowed=actions[Action.ALLOW],
        per_thousand=1000 * total / base if base else None,
    )


def _looked_at(decisions: Sequence[Decision], messages: Mapping[tuple[Direction, str], int]) -> dict[Direction, int]:
    seen = {way: sum(count for (side, _), count in messages.items() if side is way) for way in Direction}
    refused = [decision for decision in decisions if decision.direction is Direction.INPUT]
    blocked = sum(strictest(rows) is Action.BLOCK for rows in _verdicts(refused).values())
    return {**seen, Direction.INPUT: seen[Direction.INPUT] + blocked}


def _base(dimension: Dimension, name: str, seen: Mapping[Direction, int]) -> int | None:
    """How many messages there were; not known by language, and of a model's decisions some are about questions."""
    if dimension == "direction":
        return seen[Direction(name)]
    return sum(seen.values()) if dimension == "category" else None


def _series(
    groups: Mapping[str, Sequence[Decision]], names: Sequence[str], period: Period, now: datetime
) -> tuple[tuple[datetime, str, int], ...]:
    length, count = _BINS[period]
    first = start_of(period, now)
    stretches = [first + number * length for number in range(count)]
    lines: dict[str, Counter[datetime]] = {}
    for rank, name in enumerate(names):
        line = lines.setdefault(name if rank < MOST_LINES else OTHER, Counter())
        for rows in _verdicts(groups[name]).values():
            line[_floor(rows[0].created_at, length)] += 1
    return tuple((moment, name, line[moment]) for name, line in lines.items() for moment in stretches)


def _floor(moment: datetime, length: timedelta) -> datetime:
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (moment - midnight) // length * length
