"""From data to the shipped file: fit, squeeze into bytes, measure on texts the fit never saw, fit again on all."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.stats import rankdata

from playground.moderation.features import ROWS
from playground.moderation.linear_model import LinearModel, save_model
from training.moderation.card import render_card
from training.moderation.corpus import LABELS, Example, load_corpus
from training.moderation.fit import STEADY, Linear, count_features, fit, known_labels

STRENGTH = 4.0
ROUNDS = 45
# How much a text of a source counts beside one of Jigsaw's. Large, narrow sources would drown the others; two are only
# measured on, because their labels follow other rules and cost more on Jigsaw than they gave.
SOURCE_WEIGHT = {
    "jigsaw2018": 1.0,
    "safesense_vi": 1.0,
    "safesense_vi_titled": 0.5,
    "convabuse": 1.0,
    "templates": 0.15,
    "clinc150": 0.3,
    "taskmaster4": 0.3,
    "courses_en": 1.0,
    "courses_vi": 1.0,
    "davidson": 0.0,
    "civil_comments": 0.0,
}
HARMLESS = ("clinc150", "taskmaster4", "courses_en", "courses_vi")


def make(data: Path, out: Path, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Train on `data`, write `model.npz`, `figures.json` and the model card into `out`; returns the figures."""
    examples = load_corpus(data)
    say(f"{len(examples)} texts")
    features = count_features([example.text for example in examples])
    say(f"{features.nnz} features counted")
    held = np.array([example.held_out for example in examples])
    say(f"fit without the {held.sum()} held-out texts, to measure")
    shift = even_priors(examples)
    measured = squeeze(_fit(features, examples, ~held, rounds, say), shift)
    figures = measure(measured, features[held], [example for example in examples if example.held_out])
    say(json.dumps(figures, indent=1))
    say("fit on everything, to ship")
    out.mkdir(parents=True, exist_ok=True)
    save_model(out / "model.npz", squeeze(_fit(features, examples, np.ones_like(held), rounds, say), shift))
    figures["texts"] = dict(Counter(example.source for example in examples))
    (out / "figures.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    card = render_card(figures, (out / "model.npz").stat().st_size)
    (out / "README.md").write_text(card, encoding="utf-8")
    return figures


def _fit(
    features: csr_matrix,
    examples: Sequence[Example],
    chosen: NDArray[np.bool_],
    rounds: int,
    say: Callable[[str], None],
) -> Linear:
    targets, known = known_labels(examples)
    weight = known * np.array([[SOURCE_WEIGHT[example.source]] for example in examples], dtype=np.float32)
    return fit(
        features[chosen], targets[chosen], weight[chosen].astype(np.float32), strength=STRENGTH, rounds=rounds, say=say
    )


def even_priors(examples: Sequence[Example], prior: float = 0.1) -> NDArray[np.float64]:
    """What to add to the log-odds so that every label has the same prior chance.

    Threats are 30 times rarer than toxicity in the data; as a chance their scores would all be tiny, and no common
    threshold would make sense. Order, and so every area under the curve, stays as it is.
    """
    jigsaw = [example for example in examples if example.source == "jigsaw2018"]
    shares = np.array([np.mean([example.labels[label] for example in jigsaw]) for label in LABELS])
    shift: NDArray[np.float64] = np.log(prior / (1 - prior)) - np.log(shares / (1 - shares))
    return shift


def squeeze(linear: Linear, shift: NDArray[np.float64]) -> LinearModel:
    """Weights as signed bytes, one scale per label; squared lengths likewise; `shift` is added to the biases."""
    scales = np.abs(linear.weights).max(axis=0) / 127
    norm_scale = float(linear.norms.max()) / 127
    table = np.zeros((ROWS, 8), dtype=np.int8)
    table[:, : len(LABELS)] = np.rint(linear.weights / scales)
    table[:, -1] = np.maximum(1, np.rint(linear.norms / norm_scale))
    return LinearModel(
        labels=LABELS,
        table=table.view(np.uint64).ravel(),
        scales=scales.astype(np.float64),
        biases=linear.biases.astype(np.float64) + shift,
        norm_scale=norm_scale,
        steady=STEADY,
        version="unsaved",
    )


def measure(model: LinearModel, features: csr_matrix, examples: Sequence[Example]) -> dict[str, Any]:
    """Area under the ROC curve per source and label, and high quantiles of the scores of harmless texts."""
    values = np.vstack(
        [
            model.probabilities(model.sums(row.indices.astype(np.int64)))
            for row in (features[i] for i in range(len(examples)))
        ]
    )
    targets, known = known_labels(examples)
    sources = np.array([example.source for example in examples])
    figures: dict[str, Any] = {"auc": {}, "harmless_99.5%": {}, "held_out": {}}
    for source in sorted(set(sources)):
        here = sources == source
        figures["held_out"][source] = int(here.sum())
        areas = {}
        for column, label in enumerate(LABELS):
            mask = here & known[:, column]
            if 0 < targets[mask, column].sum() < mask.sum():
                areas[label] = round(area_under_curve(targets[mask, column], values[mask, column]), 4)
        if areas:
            figures["auc"][source] = areas
        if source in HARMLESS:
            high = np.quantile(values[here], 0.995, axis=0)
            figures["harmless_99.5%"][source] = {
                label: round(float(v), 4) for label, v in zip(LABELS, high, strict=True)
            }
    jigsaw = figures["auc"].get("jigsaw2018", {})
    if len(jigsaw) == len(LABELS):
        figures["jigsaw_mean_auc"] = round(float(np.mean(list(jigsaw.values()))), 4)
    return figures


def area_under_curve(targets: NDArray[Any], scores: NDArray[Any]) -> float:
    """The chance that a positive scores higher than a negative (Mann and Whitney's U, ties count half)."""
    ranks = rankdata(scores)
    positives = float(targets.sum())
    negatives = len(targets) - positives
    return float((ranks[targets == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))
