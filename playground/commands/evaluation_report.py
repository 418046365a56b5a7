"""An evaluation as JSON and as a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from playground.moderation.evaluation import Evaluation, Outcome
from playground.moderation.figures import NAMES, Figures
from playground.moderation.leaks import ARRIVAL

_SHOWN_BROKEN = 20
_HEADS = ("AUC", "AP", "F1", "precision", "recall", "FPR")


def as_json(evaluation: Evaluation, *, single: bool) -> dict[str, Any]:
    """The figures of the policy as a whole (of the only detector if `single`) at the top, then those of each detector.

    The keys of figures are auc, mean_auc, average_precision, f1, precision, recall, false_positive_rate, threshold, n,
    positives, characters_per_second; `intervals` holds [low, high] by the same names. With several label columns the
    figures at the top of an outcome are means over them, and `labels` holds each.
    """
    headline = evaluation.detectors[0] if single else evaluation.whole
    task = evaluation.task
    return {
        "headline": headline.name,
        **_outcome(headline),
        "data": task.data.name,
        "policy_name": evaluation.policy,
        "direction": task.direction.value,
        "action": task.action.value,
        "characters": evaluation.characters,
        "broken": len(evaluation.broken),
        "broken_rows": [{"row": row.number, "reason": row.reason} for row in evaluation.broken[:_SHOWN_BROKEN]],
        "detectors": {outcome.name: _outcome(outcome) for outcome in evaluation.detectors},
        "policy": _outcome(evaluation.whole),
        "stream": evaluation.stream,
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    speed = {
        "characters_per_second": outcome.speed.characters_per_second if outcome.speed else None,
        "latency_ms": dict(outcome.speed.latency_ms) if outcome.speed else None,
        "failed": outcome.failed,
    }
    labels = list(outcome.figures)
    if len(labels) == 1:
        only = labels[0]
        return _figures(outcome, only) | {"mean_auc": None} | speed
    parts = {label: _figures(outcome, label) for label in labels}
    means = {name: _mean([part[name] for part in parts.values()]) for name in NAMES}
    return {
        **means,
        "auc": None,
        "mean_auc": outcome.mean_auc,
        "threshold": None,
        "n": parts[labels[0]]["n"],
        "positives": sum(part["positives"] for part in parts.values()),
        "category": None,
        "intervals": {"mean_auc": outcome.mean_auc_interval},
        "note": "Means over the labels.",
        "labels": parts,
        **speed,
    }


def _figures(outcome: Outcome, label: str) -> dict[str, Any]:
    figures = outcome.figures[label]
    return {
        **{name: figures.values[name] for name in NAMES},
        "threshold": outcome.thresholds[label],
        "n": figures.n,
        "positives": figures.positives,
        "category": outcome.categories[label],
        "intervals": {name: figures.intervals[name] for name in NAMES},
        "note": figures.note,
    }


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def as_table(evaluation: Evaluation) -> str:
    """Everything as lines for a terminal, ending in a newline."""
    return "\n".join(_lines(evaluation)) + "\n"


def _lines(evaluation: Evaluation) -> Iterator[str]:
    task = evaluation.task
    yield (
        f"{task.data.name}: {evaluation.rows:,} rows, {evaluation.characters:,} characters; "
        f"policy {evaluation.policy}, {task.direction.value}, flagged means {task.action.value}"
    )
    outcomes = (*evaluation.detectors, evaluation.whole)
    for label in evaluation.whole.figures:
        figures = evaluation.whole.figures[label]
        yield ""
        title = f"{label}: " if label else "No label column, every row counts as negative: "
        yield f"{title}{figures.positives:,} positive of {figures.n:,}"
        yield _row("", "category", "threshold", *_HEADS)
        for outcome in outcomes:
            yield from _figure_lines(outcome, label)
        if figures.note:
            yield figures.note
    if len(evaluation.whole.figures) > 1:
        yield ""
        yield from (
            f"{one.name:<18} mean AUC {_number(one.mean_auc)} {_bounds(one.mean_auc_interval)}" for one in outcomes
        )
    yield from _speed_lines(outcomes)
    yield from _stream_lines(evaluation)
    yield from _broken_lines(evaluation)


def _figure_lines(outcome: Outcome, label: str) -> Iterator[str]:
    figures: Figures = outcome.figures[label]
    threshold = outcome.thresholds[label]
    values = (_number(figures.values[name]) for name in NAMES)
    bounds = (_bounds(figures.intervals[name]) for name in NAMES)
    yield _row(outcome.name, outcome.categories[label] or "any", _number(threshold), *values)
    yield _row("", "", "", *bounds)


def _speed_lines(outcomes: tuple[Outcome, ...]) -> Iterator[str]:
    yield ""
    for outcome in outcomes:
        if outcome.speed:
            middle, high, last = (outcome.speed.latency_ms[name] for name in ("p50", "p95", "p99"))
            speed = f"{outcome.speed.characters_per_second:,.0f} characters/s"
            yield f"{outcome.name:<18} {speed:>26}   ms per text {middle:.3f} (p95 {high:.3f}, p99 {last:.3f})"
    for outcome in outcomes[:-1]:
        if outcome.failed:
            yield f"{outcome.name} could not run on {outcome.failed:,} rows; they are in none of its figures."


def _stream_lines(evaluation: Evaluation) -> Iterator[str]:
    stream: Any = evaluation.stream
    if stream is None:
        return
    yield ""
    yield (
        f"Streamed {stream['piece']} at a time, released by {stream['unit']}: "
        f"{stream['flagged']:,} of {stream['texts']:,} texts flagged, "
        f"{stream['leaked']:,} leaked, {stream['missed']:,} not stopped; "
        f"{stream['whole_only']:,} flagged only as a whole"
    )
    for title, key in (
        ("added ms per text", "added_ms_per_text"),
        ("added ms per release", "added_ms_per_release"),
        ("characters held", "held_characters"),
        (f"ms held at {ARRIVAL}/s", "held_ms"),
    ):
        spread = stream[key]
        if spread:
            yield f"{title:<21} median {spread['p50']:.3f}, p95 {spread['p95']:.3f}, p99 {spread['p99']:.3f}"


def _broken_lines(evaluation: Evaluation) -> Iterator[str]:
    if not evaluation.broken:
        return
    yield ""
    yield f"{len(evaluation.broken):,} rows were left out:"
    yield from (f"  row {row.number}: {row.reason}" for row in evaluation.broken[:_SHOWN_BROKEN])
    if len(evaluation.broken) > _SHOWN_BROKEN:
        yield f"  and {len(evaluation.broken) - _SHOWN_BROKEN:,} more"


def _row(name: str, category: str, threshold: str, *cells: str) -> str:
    return f"{name:<18} {category:<16} {threshold:>9} " + " ".join(f"{cell:>13}" for cell in cells)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _bounds(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.3f}–{interval[1]:.3f}"
