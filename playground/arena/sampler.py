"""Which two models meet next: where a vote teaches most, and never so that somebody is left out.

Until every model has taken part in `FLOOR` votes, pairs are drawn among those with the fewest. Then most pairs are
drawn by what their vote is expected to teach about the top of the table: the spread of the difference of the two
strengths times the chance of an informative outcome, p * (1 - p), weighted by how likely the two are the best two. The
rest are drawn evenly, so that every pair keeps a chance and the table stays connected.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from playground.arena.posterior import Posterior, infer_strengths
from playground.arena.ratings import tie_rule
from playground.arena.votes import Floats, Integers, Votes
from playground.errors import InvalidRequest

FLOOR = 5
_EVEN_SHARE = 0.1
# Pairs that are surely not the best two still count this much: the middle of the table is worth knowing too.
_LEAST_INTEREST = 0.02


def draw_pair(models: list[str], votes: Votes, random: np.random.Generator) -> tuple[str, str]:
    """Two different models, in random order (the first goes to the left).

    Raises InvalidRequest for fewer than two.
    """
    if len(set(models)) < 2:
        raise InvalidRequest("A battle needs two different models. Choose another one as well.")
    weights = pair_weights(models, votes)
    left, right = np.triu_indices(len(models), 1)
    chances = weights[left, right] / weights[left, right].sum()
    chosen = int(random.choice(len(left), p=chances))
    pair = models[int(left[chosen])], models[int(right[chosen])]
    return pair if random.random() < 0.5 else (pair[1], pair[0])


def pair_weights(models: list[str], votes: Votes) -> Floats:
    """How much each pair is wanted: [models, models], symmetric, zero on the diagonal, in the order of `models`."""
    count = len(models)
    even = np.ones((count, count)) - np.eye(count)
    places = {name: place for place, name in enumerate(votes.models)}
    seen = dict(zip(votes.models, votes.appearances().tolist(), strict=True))
    played = np.array([seen.get(name, 0) for name in models])
    if played.min() < FLOOR:
        scarce = (played == played.min()).astype(float)
        wanted = (scarce[:, None] + scarce[None, :]) * even
        return np.asarray(wanted * (1 + scarce[:, None] * scarce[None, :]))
    posterior = infer_strengths(votes, tie_rule("apart"), draws=500, rounds=0)
    teaching = _teaching(posterior, np.array([places[name] for name in models])) * even
    total = teaching.sum()
    if total <= 0:
        return np.asarray(even)
    return np.asarray((1 - _EVEN_SHARE) * teaching / total + _EVEN_SHARE * even / even.sum())


def _teaching(posterior: Posterior, places: Integers) -> Floats:
    draws = posterior.draws[:, places]
    difference = draws[:, :, None] - draws[:, None, :]
    chance = expit(difference.mean(axis=0))
    best, second = np.argsort(-draws, axis=1)[:, :2].T
    interest = np.full(chance.shape, _LEAST_INTEREST)
    np.add.at(interest, (best, second), 1 / len(draws))
    np.add.at(interest, (second, best), 1 / len(draws))
    return np.asarray(difference.var(axis=0) * chance * (1 - chance) * interest)
