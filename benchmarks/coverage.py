"""How often the leaderboard's 95 % intervals hold the true strength: `python -m benchmarks.coverage [SCENARIO…]`.

Strengths are drawn, votes are drawn from them, and the intervals are counted that hold the truth. Votes are drawn so
that the way ties are read is right about them: the intervals are judged here, not whether people tie by that rule. A
table of three models has few intervals, so there are more such tables. The intervals of a table are no independent
witnesses: the standard error is taken between tables.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from benchmarks.rows import Row, shown
from playground.arena.posterior import infer_strengths
from playground.arena.ratings import TIES
from playground.arena.votes import A_WINS, B_WINS, TIE, Floats, Integers, Votes

COUNTS, MODELS = (50, 500, 5000), (3, 10, 50)
TABLES: Mapping[int, int] = {3: 400, 10: 120, 50: 40}
LEAST, MOST = 93.0, 97.0
_SURE = 2.6  # standard errors, which chance alone exceeds in one of a hundred cases
_TIE_NU = 0.0  # of equal models, a third of the votes are ties
_TIE_SHARE = 0.3
_STYLE = np.array([0.6, -0.3])
_VOTES_EACH, _STUBBORN = 10, 0.7

Outcome = Callable[[Floats, np.random.Generator], Integers]


@dataclass(frozen=True, slots=True)
class Scenario:
    """How votes come to be, and what the table is asked for. `width` is the spread of the true strengths.

    Clustered votes are counted with re-weightings, which take long, so there are a third of the tables.
    `promised`: whether 93 to 97 % are.
    """

    text: str
    outcome: Outcome
    ties: str = "apart"
    styles: bool = False
    width: float = 1.0
    clustered: bool = False
    promised: bool = True


def _winner(d: Floats, random: np.random.Generator) -> Integers:
    return np.where(random.random(len(d)) < expit(d), A_WINS, B_WINS)


def _some_tie(d: Floats, random: np.random.Generator) -> Integers:
    return np.where(random.random(len(d)) < _TIE_SHARE, TIE, _winner(d, random))


def _equals_tie(d: Floats, random: np.random.Generator) -> Integers:
    """Davidson's model."""
    odds = np.exp(np.stack([d / 2, -d / 2, np.full_like(d, _TIE_NU)]))
    bounds = np.cumsum(odds / odds.sum(axis=0), axis=0)
    return np.asarray((random.random(len(d)) > bounds[:2]).sum(axis=0))


def _two_minds(d: Floats, random: np.random.Generator) -> Integers:
    """Two judgements make a vote, a tie where they differ: half a win for each is then right on average."""
    one, other = _winner(d, random), _winner(d, random)
    return np.where(one == other, one, TIE)


SCENARIOS: Mapping[str, Scenario] = {
    "plain": Scenario("no ties", _winner),
    "apart": Scenario("30 % ties, left out", _some_tie),
    "davidson": Scenario("ties as an outcome of their own", _equals_tie, ties="davidson"),
    "half": Scenario("ties as half a win", _two_minds, ties="half"),
    "style-apart": Scenario("style control, ties left out", _some_tie, styles=True),
    "style-davidson": Scenario(
        "style control, ties an outcome of their own", _equals_tie, ties="davidson", styles=True
    ),
    "style-half": Scenario("style control, ties half a win", _two_minds, ties="half", styles=True),
    "narrow": Scenario("models nearly alike (spread 0.3)", _winner, width=0.3, promised=False),
    "wide": Scenario("models far apart (spread 2.5)", _winner, width=2.5, promised=False),
    "clustered": Scenario("10 votes a person, who repeats one", _winner, clustered=True, promised=False),
}


def draw_votes(scenario: Scenario, strengths: Floats, count: int, random: np.random.Generator) -> Votes:
    """Votes on random pairs; in a clustered scenario each person compares one pair."""
    models = len(strengths)
    people = np.arange(count) // (_VOTES_EACH if scenario.clustered else 1)
    first = random.integers(0, models, count)[people]
    second = (first + random.integers(1, models, count)[people]) % models
    d = strengths[first] - strengths[second]
    styles = random.standard_normal((count, len(_STYLE))) if scenario.styles else None
    winner = scenario.outcome(d if styles is None else d + styles @ _STYLE, random)
    if scenario.clustered:
        again = random.random(count) < _STUBBORN
        winner = np.where(again, scenario.outcome(d, random)[people * _VOTES_EACH], winner)
    seen, sides = np.unique(np.stack([first, second]), return_inverse=True)
    first, second = sides.reshape(2, count)
    return Votes(tuple(f"{at:02}" for at in seen), first, second, winner, people, np.arange(count), styles, {})


def coverage(scenario: Scenario, models: int, count: int, tables: int) -> tuple[Integers, Integers]:
    """Of every table: how many intervals held the true strength, of how many. Some models have no vote among 50."""
    inside, total = [], []
    for seed in range(tables):
        random = np.random.default_rng([seed, models, count])
        strengths = random.normal(scale=scenario.width, size=models)
        votes = draw_votes(scenario, strengths, count, random)
        rounds = 100 if scenario.clustered else 0
        posterior = infer_strengths(votes, TIES[scenario.ties], styles=scenario.styles, rounds=rounds)
        lower, upper = np.percentile(posterior.draws, [2.5, 97.5], axis=0)
        seen = strengths[[int(name) for name in votes.models]]
        truth = seen - seen.mean()
        inside.append(int(((lower <= truth) & (truth <= upper)).sum()))
        total.append(len(seen))
    return np.array(inside), np.array(total)


def measure(names: Sequence[str] = tuple(SCENARIOS)) -> Iterator[Row]:
    """The share of intervals that hold the truth in every cell, and how many cells are surely outside of the bars."""
    outside = 0
    for scenario in map(SCENARIOS.__getitem__, names):
        for models in MODELS:
            for count in COUNTS:
                tables = TABLES[models] // (3 if scenario.clustered else 1)
                inside, total = coverage(scenario, models, count, tables)
                share = 100 * inside.sum() / total.sum()
                error = 100 * float(np.sqrt(((inside - share / 100 * total) ** 2).sum())) / total.sum()
                off = max(LEAST - share, share - MOST) > _SURE * error
                outside += off and scenario.promised
                name = f"coverage: {scenario.text}, {models} models, {count:,} votes"
                yield Row(name, share, "%", detail=f"+- {error:.1f}, {total.sum():,} intervals of {tables} tables")
    yield Row(f"coverage: cells surely outside {LEAST:g} to {MOST:g} %", outside, "cells", 0, at_least=False)


def main() -> int:
    """Measure the scenarios that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage")
    parser.add_argument("names", nargs="*", metavar="SCENARIO", help=f"which ones: {', '.join(SCENARIOS)} (all)")
    names = parser.parse_args().names or tuple(SCENARIOS)
    unknown = sorted(set(names) - set(SCENARIOS))
    if unknown:
        parser.error(f"no scenario named {', '.join(unknown)}; there are: {', '.join(SCENARIOS)}")
    missed = False
    for row in measure(names):
        print(shown(row), flush=True)
        missed |= row.met is False
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
