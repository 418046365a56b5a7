"""The figures against scikit-learn's, with ties and weights, and what the bootstrap says."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from playground.moderation.figures import NAMES, Figures, Sample, mean_auc, measure


def drawn(seed: int, rows: int, steps: int = 0, *, weighted: bool = True) -> Sample:
    generator = np.random.default_rng(seed)
    positive = generator.random(rows) < 0.2
    scores = np.clip(generator.normal(0.4, 0.2, rows) + 0.25 * positive, 0, 1)
    scores = np.round(scores * steps) / steps if steps else scores
    weights = generator.integers(0, 5, rows).astype(float) if weighted else np.ones(rows)
    return Sample(scores, scores >= 0.5, positive, weights)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("steps", [0, 2, 10])
@pytest.mark.parametrize("weighted", [True, False])
def test_equal_to_scikit_learn(seed: int, steps: int, weighted: bool) -> None:
    sample = drawn(seed, 400, steps, weighted=weighted)
    truth, weights = sample.positive, sample.weights
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        truth, sample.decided, average="binary", sample_weight=weights, zero_division=0
    )
    negative = ~truth
    expected = {
        "auc": metrics.roc_auc_score(truth, sample.scores, sample_weight=weights),
        "average_precision": metrics.average_precision_score(truth, sample.scores, sample_weight=weights),
        "f1": f1,
        "precision": precision,
        "recall": recall,
        "false_positive_rate": weights[negative & sample.decided].sum() / weights[negative].sum(),
    }
    values = measure(sample, resamples=2).values
    assert values == pytest.approx(expected, abs=1e-12)


def test_intervals_hold_the_value_are_narrower_for_more_rows_and_repeat() -> None:
    small, large = measure(drawn(1, 100), 300), measure(drawn(1, 5000), 300)
    for figures in (small, large):
        for name in NAMES:
            low, high = interval(figures, name)
            assert low <= value(figures, name) <= high
    assert width(large, "auc") < width(small, "auc") / 3
    assert measure(drawn(1, 100), 300) == small


def test_a_known_interval() -> None:
    """For a share of n independent rows the bootstrap gives the textbook's ± 1.96 · sqrt(p (1 - p) / n)."""
    rows, share = 4000, 0.25
    positive = np.ones(rows, dtype=bool)
    decided = np.arange(rows) < share * rows
    low, high = interval(measure(Sample(decided.astype(float), decided, positive, np.ones(rows))), "recall")
    expected = 1.96 * (share * (1 - share) / rows) ** 0.5
    assert (high - low) / 2 == pytest.approx(expected, rel=0.1)


def test_no_positives_gives_the_false_positive_rate_and_says_why_there_is_no_auc() -> None:
    sample = drawn(1, 50)
    figures = measure(Sample(sample.scores, sample.decided, np.zeros(50, dtype=bool), sample.weights), 20)
    assert figures.values["false_positive_rate"] is not None
    assert [figures.values[name] for name in NAMES[:5]] == [None] * 5
    assert "no AUC" in figures.note
    assert figures.positives == 0


def test_only_positives_and_nothing_at_all() -> None:
    sample = drawn(1, 50)
    figures = measure(Sample(sample.scores, sample.decided, np.ones(50, dtype=bool), np.ones(50)), 20)
    assert figures.values["auc"] is None
    assert figures.values["false_positive_rate"] is None
    assert figures.values["recall"] is not None
    nothing = np.zeros(0)
    empty = measure(Sample(nothing, nothing.astype(bool), nothing.astype(bool), nothing), 20)
    assert set(empty.values.values()) == {None}
    assert empty.n == 0


def test_rows_without_weight_do_not_count() -> None:
    sample = drawn(1, 50)
    nothing = measure(Sample(sample.scores, sample.decided, sample.positive, np.zeros(50)), 20)
    assert set(nothing.values.values()) == {None}
    assert "weight" in nothing.note
    negatives = measure(Sample(sample.scores, sample.decided, sample.positive, (~sample.positive).astype(float)), 20)
    assert negatives.values["auc"] is None
    assert negatives.values["false_positive_rate"] is not None
    assert "No row is positive" in negatives.note


def test_nothing_flagged_is_a_precision_of_nought() -> None:
    sample = drawn(1, 50)
    figures = measure(Sample(sample.scores, np.zeros(50, dtype=bool), sample.positive, np.ones(50)), 20)
    assert [figures.values[name] for name in ("f1", "precision", "recall", "false_positive_rate")] == [0, 0, 0, 0]


def test_the_mean_over_columns() -> None:
    columns = [measure(drawn(seed, 300), 200) for seed in range(3)]
    mean, bounds = mean_auc(columns)
    assert mean == pytest.approx(np.mean([value(figures, "auc") for figures in columns]))
    assert bounds is not None
    assert bounds[0] < mean < bounds[1]
    assert bounds[1] - bounds[0] < width(columns[0], "auc")
    without = measure(Sample(np.zeros(300), np.zeros(300, bool), np.zeros(300, bool), np.ones(300)), 200)
    assert mean_auc([*columns, without]) == (mean, bounds)
    assert mean_auc([without]) == (None, None)


def value(figures: Figures, name: str) -> float:
    found = figures.values[name]
    assert found is not None
    return found


def interval(figures: Figures, name: str) -> tuple[float, float]:
    found = figures.intervals[name]
    assert found is not None
    return found


def width(figures: Figures, name: str) -> float:
    low, high = interval(figures, name)
    return high - low
