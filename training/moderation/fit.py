"""Logistic regression over hashed features, all labels at once, unknown labels left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix, diags

from playground.moderation.features import ROWS, distinct, feature_rows, word_codes
from training.moderation.corpus import LABELS, Example

STEADY = 60.0
"""Added to the norm of every text, so that two or three rare features alone decide nothing."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Linear:
    """A linear model: `weights` per row and label, `norms` (squared length of every row's feature), `biases`."""

    weights: Floats
    norms: Floats
    biases: Floats

    def logits(self, features: csr_matrix) -> Floats:
        """Scores before the logistic function; `features` holds ones."""
        length = np.sqrt(features @ self.norms + STEADY)
        scores: Floats = (features @ self.weights) / length[:, None] + self.biases
        return scores


def count_features(texts: Sequence[str]) -> csr_matrix:
    """One row per text with a one for every distinct feature."""
    indices, starts = [], [0]
    for text in texts:
        rows = distinct(feature_rows(word_codes(text)))
        indices.append(rows.astype(np.int32))
        starts.append(starts[-1] + len(rows))
    joined = np.concatenate(indices)
    return csr_matrix((np.ones(len(joined), np.float32), joined, np.array(starts)), shape=(len(texts), ROWS))


def known_labels(examples: Sequence[Example]) -> tuple[Floats, NDArray[np.bool_]]:
    """Targets, and where they are known; one column per label."""
    targets = np.array([[example.labels.get(label, 0) for label in LABELS] for example in examples], dtype=np.float32)
    known = np.array([[label in example.labels for label in LABELS] for example in examples])
    return targets, known


def fit(
    features: csr_matrix,
    targets: Floats,
    weight: Floats,
    *,
    strength: float,
    rounds: int,
    say: Callable[[str], None],
) -> Linear:
    """Minimise the weighted logistic loss times `strength` plus half the squared weights (L-BFGS).

    `weight` is 0 where a label is unknown. Features seen in a single text keep their length but get no weight.
    """
    seen = np.bincount(features.indices, minlength=ROWS)
    rarity = np.log((1 + features.shape[0]) / (1 + np.maximum(seen, 1))).astype(np.float32) + 1
    used = np.flatnonzero(seen > 1)
    length = np.sqrt(features @ (rarity**2) + STEADY).astype(np.float32)
    scaled = (diags(1 / length) @ features[:, used] @ diags(rarity[used])).tocsr().astype(np.float32)
    across = scaled.T.tocsr()
    labels = targets.shape[1]

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = flat[:-labels].reshape(-1, labels).astype(np.float32)
        logits = scaled @ weights + flat[-labels:].astype(np.float32)
        error = (1 / (1 + np.exp(-logits)) - targets) * weight * strength
        value = (weight * (np.logaddexp(0, logits) - targets * logits)).sum(dtype=np.float64) * strength
        value += 0.5 * float((flat[:-labels] ** 2).sum())
        slope = (across @ error).astype(np.float64).ravel() + flat[:-labels]
        return value, np.concatenate([slope, error.sum(axis=0, dtype=np.float64)])

    step = 0

    def report(intermediate_result: object) -> None:
        nonlocal step
        step += 1
        if step % 10 == 0:
            say(f"  round {step} of at most {rounds}: loss {getattr(intermediate_result, 'fun', 0.0):.1f}")

    start = np.zeros(len(used) * labels + labels)
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", callback=report, options={"maxiter": rounds, "maxcor": 8}
    )
    weights = np.zeros((ROWS, labels), np.float32)
    weights[used] = found.x[:-labels].reshape(-1, labels) * rarity[used, None]
    return Linear(weights, rarity**2, found.x[-labels:].astype(np.float32))
