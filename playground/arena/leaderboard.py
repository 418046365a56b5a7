"""The table people read: ratings, how sure they are, and how little would change them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq

from playground.arena.posterior import Posterior, Spread, infer_strengths
from playground.arena.ratings import Comparisons, TieRule, build_comparisons, fit_strengths, tie_rule
from playground.arena.votes import A_WINS, B_WINS, Floats, Integers, Votes
from playground.errors import InvalidRequest

# The scale of chess: 400 points are odds of ten to one. The mean of all models is 1000.
POINTS = 400 / np.log(10)
MEAN = 1000.0
_LOW, _HIGH = 2.5, 97.5
# Votes beyond this are "many more": nobody will cast them, and the estimate means nothing.
MANY_VOTES = 100_000
_RIVALS = 4


@dataclass(frozen=True, slots=True)
class Standing:
    """One model's line. `lower` and `upper` bound 95 %; `rank` is 1 + the models whose whole interval lies above.

    `best` is the probability of being the strongest. `separate` is about how many more votes, on all models as those so
    far, would part the intervals of this model and the next one below: 0 when they are parted, so that the ranks
    differ; None when it is more than anybody will cast, or for the last model.
    """

    model: str
    rating: float
    lower: float
    upper: float
    rank: int
    votes: int
    wins: int
    losses: int
    ties: int
    best: float
    separate: int | None


@dataclass(frozen=True, slots=True)
class Fragility:
    """The fewest votes found whose absence would put `rival` first; None when no removal was found that does."""

    votes: int | None
    rival: str


@dataclass(frozen=True, slots=True, eq=False)
class Leaderboard:
    """The table, strongest first. `wins` [models, models] counts wins of row over column, in the table's order.

    `left_out` votes were on a model against itself, and count for nothing. `people` is from how many sessions the votes
    are; votes of which that is unknown count as one each.
    `spread` can be given to the next table of about the same votes, which is then built in a fraction of the time.
    """

    standings: tuple[Standing, ...]
    fragility: Fragility | None
    wins: Integers
    battles: int
    ties: int
    people: int
    coefficients: tuple[float, ...]
    spread: Spread
    left_out: int = 0


def build_leaderboard(
    votes: Votes,
    *,
    ties: str = "apart",
    styles: bool = False,
    rounds: int = 100,
    seed: int = 0,
    spread: Spread | None = None,
    width: float | None = None,
) -> Leaderboard:
    """Rate the models of some votes; `spread` is that of an earlier table, `width` as in `infer_strengths`.

    Raises InvalidRequest for fewer than two models, an unknown way of counting ties, or style that is not known.
    """
    if len(votes.models) < 2:
        raise InvalidRequest("There are no votes on two different models yet. Vote in a few battles first.")
    rule = tie_rule(ties)
    posterior = infer_strengths(votes, rule, styles=styles, rounds=rounds, seed=seed, spread=spread, width=width)
    order = np.argsort(-posterior.strengths, kind="stable")
    wins = _win_matrix(votes)
    lower, upper = np.percentile(posterior.draws, [_LOW, _HIGH], axis=0)
    best = np.bincount(posterior.draws.argmax(axis=1), minlength=len(votes.models)) / len(posterior.draws)
    tied = _tied(votes)
    parting = _Parting(posterior, lower, upper, len(votes))
    appearances = votes.appearances()
    standings = tuple(
        Standing(
            model=votes.models[model],
            rating=_points(posterior.strengths[model]),
            lower=_points(lower[model]),
            upper=_points(upper[model]),
            rank=1 + int((lower > upper[model]).sum()),
            votes=int(appearances[model]),
            wins=int(wins[model].sum()),
            losses=int(wins[:, model].sum()),
            ties=int(tied[model]),
            best=float(best[model]),
            separate=parting.votes(model, order[place + 1]) if place + 1 < len(order) else None,
        )
        for place, model in enumerate(order)
    )
    return Leaderboard(
        standings=standings,
        fragility=find_fragility(votes, rule, posterior, order, styles=styles),
        wins=wins[np.ix_(order, order)],
        battles=len(votes),
        ties=int(votes.tied.sum()),
        people=len(np.unique(votes.session)),
        coefficients=tuple(float(value) for value in posterior.coefficients),
        spread=posterior.spread,
        left_out=votes.left_out,
    )


def _points(strength: float) -> float:
    return float(MEAN + POINTS * strength)


def _win_matrix(votes: Votes) -> Integers:
    count = len(votes.models)
    matrix = np.zeros((count, count), dtype=np.int64)
    np.add.at(matrix, (votes.first[votes.winner == A_WINS], votes.second[votes.winner == A_WINS]), 1)
    np.add.at(matrix, (votes.second[votes.winner == B_WINS], votes.first[votes.winner == B_WINS]), 1)
    return matrix


def _tied(votes: Votes) -> Integers:
    sides = np.concatenate([votes.first[votes.tied], votes.second[votes.tied]])
    return np.bincount(sides, minlength=len(votes.models))


class _Parting:
    """How many more votes part two intervals, if further votes are like those so far and the ratings stay as they are.

    With t times the votes, the votes' share of the precision is t times as large, and the prior's is what it was.
    Ties are among the votes, so where they tell nothing more votes are wanted.
    """

    def __init__(self, posterior: Posterior, lower: Floats, upper: Floats, votes: int) -> None:
        self._strengths, self._lower, self._upper, self._votes = posterior.strengths, lower, upper, votes
        values, directions = np.linalg.eigh(np.linalg.inv(posterior.covariance))
        self._prior = posterior.width**-2.0
        self._told = np.maximum(values - self._prior, 0.0)
        self._parts = (directions - directions.mean(axis=0)) ** 2  # strengths are told around their mean
        self._now = self._variances(1.0)

    def votes(self, above: int, below: int) -> int | None:
        """0 when the interval of `above` lies over that of `below`; None for more than `MANY_VOTES`."""
        if self._lower[above] > self._upper[below]:
            return 0
        pair = [above, below]
        gap = self._strengths[above] - self._strengths[below]
        halves = np.array([self._strengths[above] - self._lower[above], self._upper[below] - self._strengths[below]])

        def overlap(growth: float) -> float:
            return float(halves @ np.sqrt(self._variances(np.exp(growth), pair) / self._now[pair]) - gap)

        most = float(np.log1p(MANY_VOTES / self._votes))
        if overlap(most) > 0:
            return None
        growth = brentq(overlap, 0.0, most) if overlap(0.0) > 0 else 0.0
        return max(1, int(np.ceil(np.expm1(growth) * self._votes)))

    def _variances(self, times: float, models: list[int] | slice = slice(None)) -> Floats:
        """Of the strengths of `models`, with so many times the votes."""
        return np.asarray(self._parts[models] @ (1 / (self._prior + times * self._told)))


def find_fragility(
    votes: Votes, rule: TieRule, posterior: Posterior, order: Integers, *, styles: bool = False
) -> Fragility | None:
    """How few votes carry the first place of `order`: those that matter most are taken away, most influential first.

    The influence of a vote on the lead is its slope through the inverse of the information, which is exact for small
    changes (Broderick, Giordano and Meager 2020); every answer is checked by fitting again, with `styles` controlled
    as they were for the order. None without votes.
    """
    data = build_comparisons(votes, rule, styles=styles)
    if not data.weight.sum():
        return None
    removal = _Removal(data, rule, posterior)
    leader = int(order[0])
    found = Fragility(None, votes.models[int(order[1])])
    for rival in order[1 : 1 + _RIVALS]:
        fewest = removal.fewest(leader, int(rival), found.votes)
        if fewest is not None:
            found = Fragility(fewest, votes.models[int(rival)])
    return found


class _Removal:
    """Takes votes away from a fit and fits again."""

    def __init__(self, data: Comparisons, rule: TieRule, posterior: Posterior) -> None:
        self._data = data
        self._rule = rule
        self._penalty, self._scatter = posterior.width**-2.0, posterior.scatter
        self._fit = fit_strengths(data, rule, self._penalty, scatter=self._scatter)

    def fewest(self, leader: int, rival: int, below: int | None) -> int | None:
        """The fewest votes, taken in the order of their influence, without which `rival` is ahead.

        None when no removal does that, or none of fewer than `below` votes.
        """
        kinds, influence = self._by_influence(leader, rival)
        weight = self._data.weight[kinds]
        low, high = 0, int(weight.sum())
        high = high if below is None else min(high, below - 1)
        if high < 1 or not self._flips(kinds, high, leader, rival):
            return None
        at = self._fit.parameters
        # About where the slopes say that the lead is gone; searched from there in widening steps, then by halves.
        carried = np.interp(at[leader] - at[rival], np.cumsum(influence * weight), np.cumsum(weight))
        probe, step = int(carried), 1
        while high - low > 1:
            probe = probe if low < probe < high else (low + high) // 2
            if self._flips(kinds, probe, leader, rival):
                high, probe = probe, probe - step
            else:
                low, probe = probe, probe + step
            step *= 2
        return high

    def _by_influence(self, leader: int, rival: int) -> tuple[Integers, Floats]:
        """Kinds of votes that hold the leader above the rival, the strongest first, and how far one vote does."""
        data, at = self._data, self._fit.parameters
        width = data.design.shape[1]
        lead = np.zeros(len(at))
        lead[[leader, rival]] = 1, -1
        toward = np.linalg.solve(self._fit.information, lead)
        nu = float(at[-1]) if self._rule.has_nu else 0.0
        slopes = self._rule.slopes(data.design @ at[:width], nu, data.sign)
        influence = slopes.d * (data.design @ toward[:width]) / self._scatter
        kinds = np.argsort(-influence)
        kinds = np.asarray(kinds[influence[kinds] > 0])
        return kinds, influence[kinds]

    def _flips(self, kinds: Integers, removed: int, leader: int, rival: int) -> bool:
        weight = self._data.weight.copy()
        before = np.cumsum(weight[kinds]) - weight[kinds]
        weight[kinds] -= np.clip(removed - before, 0, weight[kinds])
        left = replace(self._data, weight=weight)
        again = fit_strengths(left, self._rule, self._penalty, self._fit.parameters, self._scatter).parameters
        return bool(again[rival] > again[leader])
