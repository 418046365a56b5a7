"""The table people read: ratings, how sure they are, and how little would change them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit

from playground.arena.posterior import Posterior, Spread, infer_strengths
from playground.arena.ratings import Comparisons, TieRule, build_comparisons, fit_strengths, tie_rule
from playground.arena.votes import A_WINS, B_WINS, Integers, Votes
from playground.errors import InvalidRequest

# The scale of chess: 400 points are odds of ten to one. The mean of all models is 1000.
POINTS = 400 / np.log(10)
MEAN = 1000.0
_LOW, _HIGH = 2.5, 97.5
_TWO_SIDED = 1.959964
# Votes beyond this are "many more": nobody will cast them, and the estimate means nothing.
MANY_VOTES = 100_000
_RIVALS = 4


@dataclass(frozen=True, slots=True)
class Standing:
    """One model's line. `lower` and `upper` bound 95 %; `rank` is 1 + the models whose whole interval lies above.

    `best` is the probability of being the strongest. `separate` is about how many more votes, all between this model
    and the next one below, would part the two (0: parted already; None: more than anybody will cast, or the last).
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

    `left_out` votes were on a model against itself, and count for nothing.
    `spread` can be given to the next table of about the same votes, which is then built in a fraction of the time.
    """

    standings: tuple[Standing, ...]
    fragility: Fragility | None
    wins: Integers
    battles: int
    ties: int
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
) -> Leaderboard:
    """Rate the models of some votes; `spread` is that of an earlier table.

    Raises InvalidRequest for fewer than two models, an unknown way of counting ties, or style that is not known.
    """
    if len(votes.models) < 2:
        raise InvalidRequest("There are no votes on two different models yet. Vote in a few battles first.")
    rule = tie_rule(ties)
    posterior = infer_strengths(votes, rule, styles=styles, rounds=rounds, seed=seed, spread=spread)
    order = np.argsort(-posterior.strengths, kind="stable")
    wins = _win_matrix(votes)
    lower, upper = np.percentile(posterior.draws, [_LOW, _HIGH], axis=0)
    best = np.bincount(posterior.draws.argmax(axis=1), minlength=len(votes.models)) / len(posterior.draws)
    tied = _tied(votes)
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
            separate=_votes_to_separate(posterior, model, order[place + 1]) if place + 1 < len(order) else None,
        )
        for place, model in enumerate(order)
    )
    return Leaderboard(
        standings=standings,
        fragility=find_fragility(votes, rule, posterior, order),
        wins=wins[np.ix_(order, order)],
        battles=len(votes),
        ties=int(votes.tied.sum()),
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


def _votes_to_separate(posterior: Posterior, upper: int, lower: int) -> int | None:
    """Votes between two models until 0 leaves the 95 % interval of their difference, if that stays as it is.

    A vote between them adds p * (1 - p) to the difference's precision, p being the chance of its outcome.
    """
    difference = posterior.draws[:, upper] - posterior.draws[:, lower]
    gap, precision = abs(float(difference.mean())), 1 / max(float(difference.var()), 1e-12)
    if gap <= 0:
        return None
    wanted = (_TWO_SIDED / gap) ** 2 - precision
    chance = float(expit(gap))
    needed = int(np.ceil(max(wanted, 0.0) / (chance * (1 - chance))))
    return needed if needed <= MANY_VOTES else None


def find_fragility(votes: Votes, rule: TieRule, posterior: Posterior, order: Integers) -> Fragility | None:
    """How few votes carry the first place: those that matter most are taken away, most influential first.

    The influence of a vote on the lead is its slope through the inverse of the information, which is exact for small
    changes (Broderick, Giordano and Meager 2020); every answer is checked by fitting again. None without votes.
    """
    data = build_comparisons(votes, rule)
    if not data.weight.sum():
        return None
    removal = _Removal(data, rule, posterior.width**-2.0)
    leader = int(order[0])
    found = Fragility(None, votes.models[int(order[1])])
    for rival in order[1 : 1 + _RIVALS]:
        fewest = removal.fewest(leader, int(rival), found.votes)
        if fewest is not None:
            found = Fragility(fewest, votes.models[int(rival)])
    return found


class _Removal:
    """Takes votes away from a fit and fits again."""

    def __init__(self, data: Comparisons, rule: TieRule, penalty: float) -> None:
        self._data = data
        self._rule = rule
        self._penalty = penalty
        self._fit = fit_strengths(data, rule, penalty)

    def fewest(self, leader: int, rival: int, below: int | None) -> int | None:
        """The fewest votes, taken in the order of their influence, without which `rival` is ahead.

        None when no removal does that, or none of fewer than `below` votes.
        """
        kinds = self._by_influence(leader, rival)
        low, high = 0, int(self._data.weight[kinds].sum())
        high = high if below is None else min(high, below - 1)
        if high < 1 or not self._flips(kinds, high, leader, rival):
            return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._flips(kinds, middle, leader, rival) else (middle, high)
        return high

    def _by_influence(self, leader: int, rival: int) -> Integers:
        """Kinds of votes that hold the leader above the rival, the strongest first."""
        data, at = self._data, self._fit.parameters
        lead = np.zeros(len(at))
        lead[[leader, rival]] = 1, -1
        toward = np.linalg.solve(self._fit.information, lead)
        nu = float(at[-1]) if self._rule.has_nu else 0.0
        slopes = self._rule.slopes(data.design @ at[: data.models], nu, data.sign)
        influence = slopes.d * (data.design @ toward[: data.models])
        kinds = np.argsort(-influence)
        return np.asarray(kinds[influence[kinds] > 0])

    def _flips(self, kinds: Integers, removed: int, leader: int, rival: int) -> bool:
        weight = self._data.weight.copy()
        before = np.cumsum(weight[kinds]) - weight[kinds]
        weight[kinds] -= np.clip(removed - before, 0, weight[kinds])
        left = replace(self._data, weight=weight)
        again = fit_strengths(left, self._rule, self._penalty, self._fit.parameters).parameters
        return bool(again[rival] > again[leader])
