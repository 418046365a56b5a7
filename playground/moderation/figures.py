"""Figures of a yes-or-no decision against labels, with weights and 95 % bootstrap intervals.

ROC AUC is the area under the curve by trapezoids, ties included; average precision is the sum over thresholds of the
gain in recall times the precision there, without interpolation (both as in scikit-learn, which the tests compare with).
The bootstrap resamples rows; rows that are equal in every respect are counted once and drawn together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Truths = npt.NDArray[np.bool_]
NAMES = ("auc", "average_precision", "f1", "precision", "recall", "false_positive_rate")
SEED = 20181031
RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Sample:
    """What is measured, row by row: the score, whether it was enough to act, the label, the weight."""

    scores: Numbers
    decided: Truths
    positive: Truths
    weights: Numbers


@dataclass(frozen=True, slots=True)
class Figures:
    """`values` by the names in NAMES; None where the labels leave it undefined, `note` says why.

    `auc_draws` holds the AUC of every resample, empty where there is none.
    """

    values: Mapping[str, float | None]
    intervals: Mapping[str, tuple[float, float] | None] = field(default_factory=dict)
    n: int = 0
    positives: int = 0
    note: str = ""
    auc_draws: Numbers = field(default_factory=lambda: np.empty(0), repr=False, compare=False)


def measure(sample: Sample, resamples: int = RESAMPLES) -> Figures:
    """Every figure of the sample; the intervals are the 2.5th and 97.5th percentile of `resamples` resamples."""
    n, positives = len(sample.positive), int(sample.positive.sum())
    note = _note(sample)
    if n == 0:
        return Figures(dict.fromkeys(NAMES), dict.fromkeys(NAMES), note=note)
    cells = _Cells(sample)
    values = {name: _known(value) for name, value in zip(NAMES, cells.figures(cells.counts), strict=True)}
    drawn = _resample(cells, resamples)
    intervals = {name: _interval(drawn[:, at]) if values[name] is not None else None for at, name in enumerate(NAMES)}
    aucs = drawn[:, 0] if values["auc"] is not None else np.empty(0)
    return Figures(values, intervals, n, positives, note, aucs)


def mean_auc(columns: Iterable[Figures]) -> tuple[float | None, tuple[float, float] | None]:
    """The mean over label columns of the AUC, and its interval. Columns without AUC are left out.

    The columns share their rows, and every measurement draws the same ones: the seed is the same.
    """
    known = [(auc, figures.auc_draws) for figures in columns if (auc := figures.values["auc"]) is not None]
    if not known:
        return None, None
    aucs, draws = zip(*known, strict=True)
    return float(np.mean(aucs)), _interval(np.mean(draws, axis=0))


class _Cells:
    """Rows that are equal in score, decision, label and weight, counted; in order of falling scores."""

    def __init__(self, sample: Sample) -> None:
        rows = np.column_stack((-sample.scores, sample.decided, sample.positive, sample.weights))
        cells, self.of_row, counts = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
        self.counts = counts.astype(np.float64)
        _, decided, positive, weights = np.asarray(cells, dtype=np.float64).T
        self.decided = decided > 0
        self.positive_weight = positive * weights
        self.negative_weight = (1 - positive) * weights
        self.ends = np.flatnonzero(np.append(np.diff(cells[:, 0]) != 0, True))  # the last cell of every score

    def figures(self, counts: Numbers) -> Numbers:
        """The figures when cell i holds `counts[i]` rows, in the order of NAMES; NaN where one is undefined."""
        positive, negative = counts * self.positive_weight, counts * self.negative_weight
        hits, alarms = np.cumsum(positive)[self.ends], np.cumsum(negative)[self.ends]
        with np.errstate(divide="ignore", invalid="ignore"):
            recalls = hits / hits[-1]
            auc = np.trapezoid(np.append(0.0, recalls), np.append(0.0, alarms / alarms[-1]))
            precisions = np.where(hits + alarms > 0, hits / (hits + alarms), 0.0)
            average = np.sum(np.diff(recalls, prepend=0.0) * precisions)
            found, false = positive[self.decided].sum(), negative[self.decided].sum()
            shares = np.array([found / (found + false), found / hits[-1], false / alarms[-1]])
            f1 = 2 * found / (found + false + hits[-1])
        if hits[-1] > 0 and np.isnan(shares[0]):
            shares[0] = 0.0  # nothing was decided: as is the custom, a precision of nought
        defined = hits[-1] > 0
        head = (auc, average, f1, shares[0]) if defined else (np.nan,) * 4
        return np.array((*head, shares[1], shares[2]))


def _resample(cells: _Cells, resamples: int) -> Numbers:
    """The figures of `resamples` draws with replacement of as many rows as there are: one row per draw."""
    generator = np.random.default_rng(SEED)
    rows = len(cells.of_row)
    drawn = np.empty((resamples, len(NAMES)))
    for at in range(resamples):
        picked = cells.of_row[generator.integers(0, rows, rows)]
        drawn[at] = cells.figures(np.bincount(picked, minlength=len(cells.counts)).astype(np.float64))
    return drawn


def _interval(drawn: Numbers) -> tuple[float, float] | None:
    known = drawn[~np.isnan(drawn)]
    if not len(known):
        return None
    low, high = np.percentile(known, (2.5, 97.5))
    return float(low), float(high)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _note(sample: Sample) -> str:
    telling = sample.positive[sample.weights > 0]
    if not len(telling):
        return "There is no row to measure." if not len(sample.weights) else "No row has a weight above 0."
    if not telling.any():
        return "No row is positive: there is no AUC, precision or recall, only the false-positive rate."
    if telling.all():
        return "Every row is positive: there is no AUC and no false-positive rate."
    return ""
