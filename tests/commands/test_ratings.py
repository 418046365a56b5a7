"""What `python -m playground arena ratings` prints, against scikit-learn's logistic regression on the same file."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, log_expit

from playground.arena.leaderboard import MEAN, POINTS
from playground.arena.posterior import WIDTHS
from playground.arena.vote_files import read_votes
from playground.arena.votes import Votes
from playground.commands.program import main
from tests.arena.reference import logistic_regression
from tests.arena.simulation import draw_columns


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "votes.csv"
    columns = draw_columns(np.linspace(-1, 1, 5), 240, np.random.default_rng(11), tie_share=0.2)
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("model_a", "model_b", "winner"), *zip(*columns, strict=True)])
    return path


def printed(capsys: pytest.CaptureFixture[str], file: Path, *options: str) -> np.ndarray:
    """The strengths that the printed ratings stand for, in the order of the models' names."""
    assert main(["arena", "ratings", "--votes", str(file), "--json", *options]) == 0
    rows = sorted(json.loads(capsys.readouterr().out), key=lambda row: row["model"])
    return np.array([(row["rating"] - MEAN) / POINTS for row in rows])


@pytest.mark.parametrize("width", [0.5, 1.0, 1000.0])
@pytest.mark.parametrize("ties", ["apart", "half"])
def test_ratings_are_those_of_logistic_regression(
    file: Path, capsys: pytest.CaptureFixture[str], width: float, ties: str
) -> None:
    votes = read_votes(file)
    if ties == "apart":
        votes = votes.where(~votes.tied)
    same = logistic_regression(votes, width**-2 * tie_share_of_certainty(votes))
    found = printed(capsys, file, "--ties", ties, "--width", str(width))
    assert np.abs(found - (same - same.mean())).max() < 1e-6


def tie_share_of_certainty(votes: Votes) -> float:
    """By how much halved ties make results scatter less, over strengths of the usual width: a smaller penalty."""
    if not votes.tied.any():
        return 1.0
    usual = logistic_regression(votes, 1.0)
    design = designed(votes)
    d = design @ usual
    curvature = design.T @ (design * (expit(d) * expit(-d))[:, None]) + np.eye(len(usual))
    unsure = np.sqrt(np.einsum("ij,jk,ik->i", design, np.linalg.inv(curvature), design))
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    variances = [expit(d + node * unsure) * expit(-d - node * unsure) for node in nodes]
    expected = np.average(variances, axis=0, weights=weights).sum()
    return float(1 - votes.tied.sum() / 4 / (expected + 0.25))


def designed(votes: Votes) -> np.ndarray:
    design = np.zeros((len(votes), len(votes.models)))
    design[np.arange(len(votes)), votes.first], design[np.arange(len(votes)), votes.second] = 1, -1
    return design


def test_without_a_width_they_are_its_mean_over_widths_by_how_well_each_fits(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    votes = read_votes(file)
    decided = votes.where(~votes.tied)
    fits = [logistic_regression(decided, width**-2) for width in WIDTHS]
    logs = np.array([log_evidence(decided, fit, width) for fit, width in zip(fits, WIDTHS, strict=True)])
    mean = np.average(fits, axis=0, weights=np.exp(logs - logs.max()))
    assert np.abs(printed(capsys, file) - (mean - mean.mean())).max() < 1e-6


def log_evidence(votes: Votes, fit: np.ndarray, width: float) -> float:
    """Laplace's approximation of the votes' probability, with the log-normal prior of the width."""
    design = designed(votes)
    d = design @ fit
    likelihood = log_expit(np.where(votes.winner == 0, d, -d)).sum() - (fit**2).sum() / (2 * width**2)
    curvature = design.T @ (design * (expit(d) * expit(-d))[:, None]) + np.eye(len(fit)) / width**2
    prior = len(fit) * np.log(width) + (np.log(width) / 0.8) ** 2 / 2
    return float(likelihood - np.linalg.slogdet(curvature)[1] / 2 - prior)


@pytest.mark.parametrize("width", ["0", "-1", "1001", "nan", "wide"])
def test_a_width_that_is_none_is_refused(file: Path, capsys: pytest.CaptureFixture[str], width: str) -> None:
    with pytest.raises(SystemExit):
        main(["arena", "ratings", "--votes", str(file), f"--width={width}"])
    assert "--width" in capsys.readouterr().err


def test_the_table_says_whose_votes_these_are(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["arena", "ratings", "--votes", str(file), "--rounds", "0"])
    assert "240 people voted, as far as sessions tell." in capsys.readouterr().out
    rows = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join([rows[0] + ",session", *(row + ",s" for row in rows[1:])]), encoding="utf-8")
    main(["arena", "ratings", "--votes", str(file), "--rounds", "0"])
    assert "All votes come from one session" in capsys.readouterr().out
