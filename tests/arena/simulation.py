"""Votes of models whose strengths are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from playground.arena.votes import Votes, build_votes

Columns = tuple[list[str], list[str], list[str]]


def draw_columns(
    strengths: NDArray[np.float64], count: int, random: np.random.Generator, tie_share: float = 0.0
) -> Columns:
    """`count` votes on random pairs of the models m00, m01, ...; ties come at a fixed rate."""
    models = len(strengths)
    first = random.integers(0, models, count)
    second = (first + random.integers(1, models, count)) % models
    won = random.random(count) < expit(strengths[first] - strengths[second])
    tied = random.random(count) < tie_share
    winner = np.where(tied, "tie", np.where(won, "model_a", "model_b"))
    return [f"m{at:02}" for at in first], [f"m{at:02}" for at in second], [str(word) for word in winner]


def draw_votes(
    strengths: NDArray[np.float64], count: int, random: np.random.Generator, tie_share: float = 0.0
) -> Votes:
    """The same as `Votes`."""
    return build_votes(*draw_columns(strengths, count, random, tie_share))
