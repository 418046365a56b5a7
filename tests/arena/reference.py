"""Strengths by other people's numerics, in other forms than the playground's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import root
from sklearn.linear_model import LogisticRegression

from playground.arena.votes import A_WINS, B_WINS, Votes

Floats = NDArray[np.float64]


def logistic_regression(votes: Votes, penalty: float, styles: Floats | None = None) -> Floats:
    """scikit-learn's logistic regression, set up as Bradley-Terry with ties as half a win for each."""
    count = len(votes.models)
    rows, outcomes, weights = [], [], []
    for number in range(len(votes)):
        row = np.zeros(count)
        row[votes.first[number]], row[votes.second[number]] = 1, -1
        if styles is not None:
            row = np.concatenate([row, styles[number]])
        halves = {A_WINS: [(1, 1.0)], B_WINS: [(0, 1.0)]}.get(int(votes.winner[number]), [(1, 0.5), (0, 0.5)])
        for outcome, weight in halves:
            rows.append(row)
            outcomes.append(outcome)
            weights.append(weight)
    model = LogisticRegression(C=1 / penalty, fit_intercept=False, solver="newton-cholesky", tol=1e-12, max_iter=1000)
    model.fit(np.array(rows), outcomes, sample_weight=weights)
    return np.asarray(model.coef_[0])


def davidson_equations(votes: Votes, penalty: float, nu_penalty: float) -> Floats:
    """Strengths and nu where Davidson's likelihood equations (1970) hold, with the penalties' slopes in them.

    On counts of wins and ties between worths, as he wrote them, solved by MINPACK's hybrid method.
    """
    count = len(votes.models)
    wins, ties = np.zeros((count, count)), np.zeros((count, count))
    for first, second, winner in zip(votes.first, votes.second, votes.winner, strict=True):
        if winner == A_WINS:
            wins[first, second] += 1
        elif winner == B_WINS:
            wins[second, first] += 1
        else:
            ties[first, second] += 1
            ties[second, first] += 1
    met = wins + wins.T + ties

    def equations(at: Floats) -> Floats:
        worth = np.exp(at[:count])
        equal = np.exp(at[count]) * np.sqrt(np.outer(worth, worth))
        whole = worth[:, None] + worth[None, :] + equal
        points = (wins + ties / 2 - met * (worth[:, None] + equal / 2) / whole).sum(axis=1)
        drawn = (ties - met * equal / whole).sum() / 2
        return np.append(points - penalty * at[:count], drawn - nu_penalty * at[count])

    found = root(equations, np.zeros(count + 1), method="hybr", tol=1e-13)
    assert np.abs(found.fun).max() < 1e-9
    return np.asarray(found.x)
