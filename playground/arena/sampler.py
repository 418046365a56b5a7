"""Which two models meet next: where a vote teaches most, and never so that somebody is left out.

Until every model has had `FLOOR` battles, most pairs are drawn among those with the fewest. Then most are drawn by what
their battle is expected to teach about the top of the table: the spread of the difference of the two strengths times
the chance of an informative outcome, p * (1 - p), weighted by how likely the two are the best two and by how often
their battles have ended in a vote. The rest are drawn evenly, so that every pair keeps a chance and the table stays
connected.

A battle counts whether it gave a vote or not: a model that always fails, or always tells its name, never gets votes,
and must not be drawn until it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy.special import expit

from playground.arena.posterior import infer_strengths
from playground.arena.ratings import tie_rule
from playground.arena.votes import Floats, Integers, Votes
from playground.errors import InvalidRequest

FLOOR = 5
_EVEN_SHARE = 0.1
# Pairs that are surely not the best two still count this much: the middle of the table is worth knowing too.
_LEAST_INTEREST = 0.02


def draw_pair(
    models: list[str], votes: Votes, fruitless: Mapping[str, int], random: np.random.Generator
) -> tuple[str, str]:
    """Two different models, in random order (the first goes to the left).

    `fruitless` says how many battles of a model gave no vote that counts.

    Raises InvalidRequest for fewer than two.
    """
    if len(set(models)) < 2:
        raise InvalidRequest("A battle needs two different models. Choose another one as well.")
    weights = pair_weights(models, votes, fruitless)
    left, right = np.triu_indices(len(models), 1)
    chances = weights[left, right] / weights[left, right].sum()
    chosen = int(random.choice(len(left), p=chances))
    pair = models[int(left[chosen])], models[int(right[chosen])]
    return pair if random.random() < 0.5 else (pair[1], pair[0])


def pair_weights(models: list[str], votes: Votes, fruitless: Mapping[str, int]) -> Floats:
    """How much each pair is wanted: [models, models], symmetric, zero on the diagonal, in the order of `models`."""
    count = len(models)
    even = np.ones((count, count)) - np.eye(count)
    seen = dict(zip(votes.models, votes.appearances().tolist(), strict=True))
    voted = np.array([seen.get(name, 0) for name in models])
    battles = voted + np.array([fruitless.get(name, 0) for name in models])
    wanted = _scarcity(battles) if battles.min() < FLOOR else _teaching(models, votes) * _yield(voted, battles)
    wanted = wanted * even
    total = wanted.sum()
    if total <= 0:
        return np.asarray(even)
    return np.asarray((1 - _EVEN_SHARE) * wanted / total + _EVEN_SHARE * even / even.sum())


def _scarcity(battles: Integers) -> Floats:
    """Pairs with a model that has had the fewest battles; two such models are wanted most."""
    scarce = (battles == battles.min()).astype(float)
    return np.asarray((scarce[:, None] + scarce[None, :]) * (1 + scarce[:, None] * scarce[None, :]))


def _yield(voted: Integers, battles: Integers) -> Floats:
    """How much to hope for a vote of two models, from how many of each one's battles gave one.

    Squared: what a model without votes would teach falls too slowly beside the others, which grow ever surer.
    """
    each = ((voted + 1) / (battles + 1)) ** 2
    return np.asarray(each[:, None] * each[None, :])


def _teaching(models: list[str], votes: Votes) -> Floats:
    """What a vote between two models is expected to teach; those without a vote are as strong as any may be."""
    new = [name for name in models if name not in votes.models]
    known = replace(votes, models=(*votes.models, *new))
    places = {name: place for place, name in enumerate(known.models)}
    posterior = infer_strengths(known, tie_rule("apart"), draws=500, rounds=0)
    draws = posterior.draws[:, [places[name] for name in models]]
    difference = draws[:, :, None] - draws[:, None, :]
    chance = expit(difference.mean(axis=0))
    best, second = np.argsort(-draws, axis=1)[:, :2].T
    interest = np.full(chance.shape, _LEAST_INTEREST)
    np.add.at(interest, (best, second), 1 / len(draws))
    np.add.at(interest, (second, best), 1 / len(draws))
    return np.asarray(difference.var(axis=0) * chance * (1 - chance) * interest)
