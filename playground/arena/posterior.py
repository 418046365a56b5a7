"""How sure the votes make us: draws of the strengths that fit them, from few votes to many.

Strengths have a normal prior around 0 whose width is estimated along with them (empirical Bayes with a wide log-normal
prior on the width itself): 50 votes then give wide intervals around the middle, and 5,000 votes give the votes' own.
For each of a grid of widths the posterior is taken as normal at the penalised maximum (Laplace's approximation); draws
mix the widths by their marginal likelihood (MacKay 1992). Votes of one person, or about one prompt, are no independent
witnesses: the votes are weighted anew, person by person and prompt by prompt (a bootstrap with exponential weights,
Rubin 1981; both ways at once, Owen 2007), and where that moves a rating further than weighting single votes does, its
draws are spread by the same factor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from playground.arena.ratings import Comparisons, Fit, TieRule, build_comparisons, fit_strengths, tie_scatter
from playground.arena.votes import Floats, Integers, Votes

WIDTHS = np.exp(np.linspace(np.log(0.15), np.log(4.0), 12))
# The prior of the width, in natural log-odds. 1 is about 174 rating points; 95 % of it lies between 0.2 and 4.8.
_USUAL_WIDTH, _WIDTH_SPREAD = 1.0, 0.8
_LEAST_SHARE = 0.01
# By how much the number of votes may have grown since people and prompts were looked at.
_FRESH = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """How many times as far people and prompts move each of `models` as `votes` single votes would; at least 1."""

    models: tuple[str, ...]
    votes: int
    factors: Floats

    def holds_for(self, votes: Votes) -> bool:
        """Whether these are about the same votes: a percent more changes it less than the re-weightings leave open."""
        return self.models == votes.models and self.votes <= len(votes) <= self.votes * (1 + _FRESH)


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """What is known of the strengths. All around a mean of 0, in natural log-odds.

    `strengths` [models] is the best single guess; `draws` [draws, models] are strengths that fit the votes;
    `coefficients` are those of the style features. `covariance` [models, models] is of one width, the most likely one,
    of which `width` is the value. `scatter` is as in `tie_scatter`, `spread` by how much the draws were widened.
    """

    strengths: Floats
    draws: Floats
    coefficients: Floats
    covariance: Floats
    width: float
    scatter: float
    spread: Spread


def infer_strengths(
    votes: Votes,
    rule: TieRule,
    *,
    styles: bool = False,
    draws: int = 2000,
    rounds: int = 100,
    seed: int = 0,
    spread: Spread | None = None,
    width: float | None = None,
) -> Posterior:
    """Fit, draw, and widen by what `rounds` re-weightings of people and prompts show (0: do not look).

    They are left out when `spread` is that of about the same votes. The prior has this `width`; None estimates it.

    Raises InvalidRequest when style is asked for and unknown.
    """
    data = build_comparisons(votes, rule)
    widths = WIDTHS if width is None else np.array([width])
    scatter = tie_scatter(data, rule, _USUAL_WIDTH**-2.0)
    fits = _fit_widths(data, rule, widths, scatter)
    shares = _shares(fits, widths, data.models)
    if styles:  # with a row for every vote fits are slow: widths that say little without style are left out
        data = build_comparisons(votes, rule, styles=True)
        widths = widths[shares >= _LEAST_SHARE]
        scatter = tie_scatter(data, rule, _USUAL_WIDTH**-2.0)
        fits = _fit_widths(data, rule, widths, scatter)
        shares = _shares(fits, widths, data.models)
    best = int(shares.argmax())
    count, fit = data.models, fits[best]

    def moved(weights: Floats) -> Floats:
        again = fit_strengths(data.weighted(weights), rule, widths[best] ** -2.0, fit.parameters, scatter)
        return _centred(again.parameters[:count])

    if spread is None or not spread.holds_for(votes):
        factors = _clustering(votes, moved, rounds, np.random.default_rng([seed, 1]))
        spread = Spread(votes.models, len(votes), factors)
    strengths = sum(share * _centred(one.parameters[:count]) for share, one in zip(shares, fits, strict=True))
    drawn = _draw(fits, shares, count, draws, np.random.default_rng(seed))
    return Posterior(
        strengths=np.asarray(strengths),
        draws=strengths + (drawn - strengths) * spread.factors,
        coefficients=fit.parameters[count : data.design.shape[1]],
        covariance=_covariance(fit, count),
        width=float(widths[best]),
        scatter=scatter,
        spread=spread,
    )


def _fit_widths(data: Comparisons, rule: TieRule, widths: Floats, scatter: float) -> list[Fit]:
    fits: list[Fit] = []
    for width in widths:
        fits.append(fit_strengths(data, rule, width**-2.0, fits[-1].parameters if fits else None, scatter))
    return fits


def _shares(fits: list[Fit], widths: Floats, models: int) -> Floats:
    """How likely each width is: Laplace's approximation of the votes' probability, times the prior."""
    logs = np.array([fit.value - np.linalg.slogdet(fit.information)[1] / 2 for fit in fits])
    logs -= models * np.log(widths) + ((np.log(widths) - np.log(_USUAL_WIDTH)) / _WIDTH_SPREAD) ** 2 / 2
    shares = np.exp(logs - logs.max())
    return np.asarray(shares / shares.sum())


def _covariance(fit: Fit, models: int) -> Floats:
    return np.asarray(np.linalg.inv(fit.information)[:models, :models], dtype=np.float64)


def _draw(fits: list[Fit], shares: Floats, models: int, draws: int, random: np.random.Generator) -> Floats:
    parts: list[Floats] = []
    for fit, count in zip(fits, random.multinomial(draws, shares), strict=True):
        if count:
            root = np.linalg.cholesky(_covariance(fit, models))
            parts.append(fit.parameters[:models] + random.standard_normal((count, models)) @ root.T)
    return _centred(np.concatenate(parts))


def _clustering(votes: Votes, moved: Callable[[Floats], Floats], rounds: int, random: np.random.Generator) -> Floats:
    """Per model, how many times as far people and prompts move it as single votes would; at least 1.

    `moved` gives the strengths under other weights of the votes.
    """
    people, prompts = _number(votes.session), _number(votes.prompt)
    if not rounds or (people == len(votes) and prompts == len(votes)):
        return np.ones(len(votes.models))

    single, together = [], []
    for _ in range(rounds):
        single.append(moved(random.exponential(size=len(votes))))
        weights = random.exponential(size=people)[votes.session] if people < len(votes) else np.ones(len(votes))
        if prompts < len(votes):
            weights = weights * random.exponential(size=prompts)[votes.prompt]
        together.append(moved(weights))
    usual = np.std(single, axis=0)
    ratio = np.divide(np.std(together, axis=0), usual, out=np.ones(len(usual)), where=usual > 0)
    return np.asarray(np.maximum(ratio, 1.0))


def _number(groups: Integers) -> int:
    return int(groups.max()) + 1 if len(groups) else 0


def _centred(strengths: Floats) -> Floats:
    return np.asarray(strengths - strengths.mean(axis=-1, keepdims=True))
