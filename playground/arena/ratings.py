"""Strengths from votes: the Bradley-Terry model by penalised maximum likelihood.

Model A beats B with probability 1 / (1 + exp(-d)), d = strength of A - strength of B (Bradley and Terry 1952). Style
control adds features of the two answers to d, as the public arena does (contextual Bradley-Terry). The penalty is a
normal prior on the strengths; its width is not chosen but estimated from the votes (see `arena.posterior`).

What a tie says is a choice (`TIES`):

- `apart`: nothing about who is stronger. Ties tell of easy prompts more than of equal models (arXiv 2510.02306), and
  given that there was a winner the probability above holds whether ties come at a fixed rate or as Davidson has it.
- `davidson`: equal models tie more often; P(tie) is proportional to exp(nu) * sqrt(product of both strengths'
  exponentials), nu estimated too (Davidson 1970).
- `half`: half a win for each, as the public arena counts. Draws strengths together by about the share of ties.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize, sparse
from scipy.special import expit, log_expit, logsumexp

from playground.arena.votes import A_WINS, B_WINS, Floats, Integers, Votes
from playground.errors import InvalidRequest

# Style features are scaled to a spread of one; this prior is as wide as a strength's usual difference.
_STYLE_PENALTY = 1.0
_NU_PENALTY = 1e-2
_TOLERANCE = 1e-9
# More certainty than this the results do not give, however many are ties.
_LEAST_SCATTER = 1e-3
# Numbers in a design up to which dense products are quicker than sparse ones.
_SMALL = 50_000


@dataclass(frozen=True, slots=True, eq=False)
class Comparisons:
    """Votes in the form the model is fitted to: equal ones joined, with weights.

    `design` [rows, models + features] gives d for parameters; `sign` is 1 when the first side won, -1 the second, 0
    for a tie. `votes` says which row every vote went into (-1: none), so that votes can be weighted anew.
    """

    design: sparse.csr_matrix
    sign: Integers
    weight: Floats
    votes: Integers
    models: int

    def weighted(self, vote_weights: Floats) -> Comparisons:
        """The same rows under other weights of the votes."""
        used = self.votes >= 0
        weight = np.bincount(self.votes[used], vote_weights[used], minlength=len(self.sign))
        return replace(self, weight=weight.astype(np.float64))


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """The parameters with the largest penalised likelihood.

    `parameters` are the strengths (natural log-odds, in the order of the models), then the features' coefficients,
    then nu where ties are modelled. `information` is minus the second derivative there; `value` the log-likelihood
    with the penalty's quadratic term.
    """

    parameters: Floats
    information: Floats
    value: float


@dataclass(frozen=True, slots=True, eq=False)
class _Slopes:
    """Log-likelihood per row and its derivatives in d and nu."""

    value: Floats
    d: Floats
    dd: Floats
    nu: Floats
    d_nu: Floats
    nu_nu: Floats


def _two_outcomes(d: Floats, nu: float, sign: Integers) -> _Slopes:
    del nu
    share = (1 + sign) / 2  # 1, 0, and 1/2 for a tie that counts half
    win = expit(d)
    none = np.zeros_like(d)
    value = share * log_expit(d) + (1 - share) * log_expit(-d)
    return _Slopes(value, share - win, -win * (1 - win), none, none, none)


def _three_outcomes(d: Floats, nu: float, sign: Integers) -> _Slopes:
    logits = np.stack([d / 2, np.full_like(d, nu), -d / 2])
    whole = logsumexp(logits, axis=0)
    first, tie, second = np.exp(logits - whole)
    lead = (first - second) / 2
    value = np.where(sign == 0, nu, sign * d / 2) - whole
    return _Slopes(
        value, sign / 2 - lead, -((first + second) / 4 - lead**2), (sign == 0) - tie, lead * tie, -tie * (1 - tie)
    )


@dataclass(frozen=True, slots=True)
class TieRule:
    """How a way of reading ties computes; `counted` says whether ties are part of the data."""

    slopes: Callable[[Floats, float, Integers], _Slopes]
    counted: bool
    has_nu: bool


TIES: Mapping[str, TieRule] = {
    "apart": TieRule(_two_outcomes, counted=False, has_nu=False),
    "davidson": TieRule(_three_outcomes, counted=True, has_nu=True),
    "half": TieRule(_two_outcomes, counted=True, has_nu=False),
}


def tie_rule(name: str) -> TieRule:
    """The rule of that name. Raises InvalidRequest listing what there is."""
    if name not in TIES:
        raise InvalidRequest(f"There is no way of counting ties named {name!r:.40}. There are: {', '.join(TIES)}.")
    return TIES[name]


def build_comparisons(votes: Votes, rule: TieRule, *, styles: bool = False) -> Comparisons:
    """Join equal votes. With `styles` every vote keeps a row of its own.

    Raises InvalidRequest when style is asked for and the votes do not tell it.
    """
    sign = np.select([votes.winner == A_WINS, votes.winner == B_WINS], [1, -1], 0)
    used = np.flatnonzero((sign != 0) | rule.counted)
    count = len(votes.models)
    rows = np.full(len(votes), -1, dtype=np.int64)
    if styles:
        if votes.styles is None:
            raise InvalidRequest("These votes do not tell the style of the answers, so it cannot be controlled for.")
        rows[used] = np.arange(len(used))
        first, second, result, extra = votes.first[used], votes.second[used], sign[used], votes.styles[used]
    else:
        keys = (votes.first[used] * count + votes.second[used]) * 3 + sign[used] + 1
        kinds, rows[used] = np.unique(keys, return_inverse=True)
        pairs, result = kinds // 3, kinds % 3 - 1
        first, second, extra = pairs // count, pairs % count, None
    places = np.arange(len(result))
    values = np.concatenate([np.ones(len(result)), -np.ones(len(result))])
    sides = (np.concatenate([places, places]), np.concatenate([first, second]))
    design = sparse.csr_matrix((values, sides), shape=(len(result), count))
    if extra is not None:
        design = sparse.hstack([design, sparse.csr_matrix(extra)], format="csr")
    weight = np.bincount(rows[used], minlength=len(result)).astype(np.float64)
    return Comparisons(design, result.astype(np.int64), weight, rows, count)


def fit_strengths(
    data: Comparisons, rule: TieRule, penalty: float, start: Floats | None = None, scatter: float = 1.0
) -> Fit:
    """Maximise log-likelihood / scatter - penalty / 2 * sum of squared strengths; for `scatter` see `tie_scatter`.

    By scipy's trust-region Newton method with exact second derivatives; the objective is concave.
    """
    width = data.design.shape[1]
    size = width + rule.has_nu
    ridge = np.full(size, _STYLE_PENALTY)
    ridge[: data.models] = penalty
    ridge[width:] = _NU_PENALTY
    small = np.prod(data.design.shape) <= _SMALL
    design = data.design.toarray() if small else data.design
    weight = data.weight / scatter

    def slopes(at: Floats) -> _Slopes:
        return rule.slopes(design @ at[:width], float(at[-1]) if rule.has_nu else 0.0, data.sign)

    def loss(at: Floats) -> float:
        return float(ridge @ at**2 / 2 - weight @ slopes(at).value)

    def gradient(at: Floats) -> Floats:
        now = slopes(at)
        toward = np.zeros(size)
        toward[:width] = design.T @ (weight * now.d)
        toward[width:] = weight @ now.nu
        result: Floats = ridge * at - toward
        return result

    def information(at: Floats) -> Floats:
        now = slopes(at)
        matrix = np.diag(ridge)
        matrix[:width, :width] -= _gram(design, weight * now.dd)
        if rule.has_nu:
            matrix[:width, -1] -= design.T @ (weight * now.d_nu)
            matrix[-1, :width] = matrix[:width, -1]
            matrix[-1, -1] -= weight @ now.nu_nu
        return matrix

    begin = np.zeros(size) if start is None else start
    options = {"gtol": _TOLERANCE * max(1.0, float(weight.sum())), "maxiter": 200}
    found = optimize.minimize(loss, begin, jac=gradient, hess=information, method="trust-exact", options=options)
    return Fit(found.x, information(found.x), -float(found.fun))


def _gram(design: Floats | sparse.csr_matrix, weight: Floats) -> Floats:
    """The sum of weight * row * row's transpose."""
    if isinstance(design, np.ndarray):
        return np.asarray(design.T @ (design * weight[:, None]))
    return np.asarray((design.T @ design.multiply(weight[:, None])).toarray())


def tie_scatter(data: Comparisons, rule: TieRule, penalty: float) -> float:
    """How far results scatter around what is expected, as a share of what the model says: 1, or less for halved ties.

    A win or a loss scatters by p * (1 - p); half a win lies between the two and takes a quarter off. Bradley-Terry's
    likelihood does not know that, so it takes differences between models for chance, and is less sure than it may be.
    Divided by this share it tells as much as the votes do (quasi-likelihood, Wedderburn 1974). One more vote without
    a tie is counted, so that a few ties alone do not make anybody sure.
    """
    ties = float(data.weight[data.sign == 0].sum())
    if rule.has_nu or not ties:
        return 1.0
    fit = fit_strengths(data, rule, penalty)
    d = data.design @ fit.parameters
    covered = data.design @ np.linalg.inv(fit.information)
    unsure = np.sqrt(3 * np.asarray(data.design.multiply(covered).sum(axis=1)).ravel())
    # The mean over a normal d, by Gauss and Hermite's rule of three points.
    points = ((2 / 3, d), (1 / 6, d + unsure), (1 / 6, d - unsure))
    expected = sum(share * float(data.weight @ (expit(at) * expit(-at))) for share, at in points) + 0.25
    return max(_LEAST_SCATTER, 1 - ties / 4 / expected)
