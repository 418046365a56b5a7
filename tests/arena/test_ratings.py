from __future__ import annotations

import numpy as np
import pytest

from playground.arena import ratings
from playground.arena.ratings import TIES, build_comparisons, fit_strengths, tie_rule
from playground.arena.style import Style, compare_styles, measure_style, scale_styles
from playground.arena.votes import WINNERS, build_votes
from playground.errors import InvalidRequest
from tests.arena.reference import davidson_equations, logistic_regression
from tests.arena.simulation import draw_columns, draw_votes

STRENGTHS = np.linspace(-1.2, 1.2, 6)


@pytest.mark.parametrize("tie_share", [0.0, 0.3])
@pytest.mark.parametrize("penalty", [0.1, 1.0, 4.0])
def test_equals_logistic_regression(tie_share: float, penalty: float) -> None:
    votes = draw_votes(STRENGTHS, 400, np.random.default_rng(3), tie_share)
    fit = fit_strengths(build_comparisons(votes, TIES["half"]), TIES["half"], penalty)
    assert np.abs(fit.parameters - logistic_regression(votes, penalty)).max() < 1e-6


def test_ties_apart_equals_logistic_regression_on_the_votes_with_a_winner() -> None:
    votes = draw_votes(STRENGTHS, 400, np.random.default_rng(4), 0.3)
    fit = fit_strengths(build_comparisons(votes, TIES["apart"]), TIES["apart"], 1.0)
    assert np.abs(fit.parameters - logistic_regression(votes.where(~votes.tied), 1.0)).max() < 1e-6


def test_style_control_equals_logistic_regression_with_the_features() -> None:
    random = np.random.default_rng(5)
    columns = draw_columns(STRENGTHS, 300, random)
    styles = random.normal(size=(300, 2))
    votes = build_votes(*columns, styles=styles)
    fit = fit_strengths(build_comparisons(votes, TIES["half"], styles=True), TIES["half"], 1.0)
    assert np.abs(fit.parameters - logistic_regression(votes, 1.0, styles)).max() < 1e-6


@pytest.mark.parametrize("tie_share", [0.05, 0.3])
@pytest.mark.parametrize("penalty", [0.1, 1.0, 4.0])
def test_davidson_solves_his_likelihood_equations(tie_share: float, penalty: float) -> None:
    votes = draw_votes(STRENGTHS, 300, np.random.default_rng(6), tie_share)
    rule = TIES["davidson"]
    fit = fit_strengths(build_comparisons(votes, rule), rule, penalty)
    assert np.abs(fit.parameters - davidson_equations(votes, penalty, nu_penalty=1e-2)).max() < 1e-6


def test_sparse_and_dense_designs_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    votes = draw_votes(STRENGTHS, 300, np.random.default_rng(9), 0.2)
    rule = TIES["davidson"]
    dense = fit_strengths(build_comparisons(votes, rule), rule, 1.0)
    monkeypatch.setattr(ratings, "_SMALL", 0)
    sparse = fit_strengths(build_comparisons(votes, rule), rule, 1.0)
    assert np.abs(dense.parameters - sparse.parameters).max() < 1e-8
    assert np.abs(dense.information - sparse.information).max() < 1e-6


def test_more_ties_do_not_move_ratings_that_count_them_apart() -> None:
    columns = draw_columns(STRENGTHS, 200, np.random.default_rng(7))
    ties = (["m00"] * 50, ["m05"] * 50, ["tie"] * 25 + ["tie (bothbad)"] * 25)
    more = build_votes(*(one + other for one, other in zip(columns, ties, strict=True)))
    rule = TIES["apart"]
    alone, together = (fit_strengths(build_comparisons(v, rule), rule, 1.0) for v in (build_votes(*columns), more))
    assert np.allclose(alone.parameters, together.parameters, atol=1e-8)


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ((["a", "a"], ["b", "b"], ["model_a", "draw"]), "vote 2: winner is 'draw'"),
    ],
)
def test_wrong_votes_are_named(columns: tuple[list[str], list[str], list[str]], sentence: str) -> None:
    with pytest.raises(InvalidRequest, match=sentence):
        build_votes(*columns)


def test_votes_on_a_model_against_itself_are_left_out() -> None:
    columns = (["a", "b", "d", "c"], ["a", "c", "d", "a"], ["model_a", "tie", "model_b", "model_b"])
    votes = build_votes(*columns, session=["s", "t", "u", "t"], labels={"language": ["en", "vi", "en", "en"]})
    assert (votes.models, len(votes), votes.left_out) == (("a", "b", "c"), 2, 2)
    assert (votes.first.tolist(), votes.second.tolist(), votes.winner.tolist()) == ([1, 2], [2, 0], [2, 1])
    assert votes.session[0] == votes.session[1]
    assert list(votes.labels["language"]) == ["vi", "en"]
    assert len(build_votes(["a"], ["a"], ["tie"])) == 0


def test_unknown_tie_rule_lists_what_there_is() -> None:
    with pytest.raises(InvalidRequest, match="apart, davidson, half"):
        tie_rule("third")


def test_style_cannot_be_controlled_for_when_it_is_unknown() -> None:
    votes = build_votes(["a"], ["b"], ["model_a"])
    with pytest.raises(InvalidRequest, match="style of the answers"):
        build_comparisons(votes, TIES["apart"], styles=True)


def test_style_counts_markdown_outside_of_code() -> None:
    answer = "# Title\n\n- one\n- **two**\n1. three\n\n```python\n# no header\n- no list\n```\n"
    assert measure_style(answer) == Style(length=len(answer), headers=1, lists=3, bold=1)


def test_styles_are_compared_from_minus_one_to_one() -> None:
    assert compare_styles(Style(300, 2, 0, 0), Style(100, 0, 0, 4)) == (0.5, 1.0, 0.0, -1.0)


def test_scaled_styles_have_a_spread_of_one_and_stay_zero_where_nothing_differs() -> None:
    scaled = scale_styles(np.array([[0.5, 0.0], [-0.5, 0.0], [0.1, 0.0]]))
    assert scaled[:, 0].std() == pytest.approx(1.0)
    assert not scaled[:, 1].any()


def test_a_longer_answer_does_not_lift_a_model_under_style_control() -> None:
    """Two equal models; people prefer the longer answer, and the first model's is longer more often."""
    random = np.random.default_rng(8)
    longer = np.where(random.random(600) < 0.8, 0.5, -0.5)
    won = random.random(600) < 1 / (1 + np.exp(-3 * longer))
    votes = build_votes(
        ["long"] * 600,
        ["short"] * 600,
        [WINNERS[0] if win else WINNERS[1] for win in won],
        styles=scale_styles(longer[:, None]),
    )
    rule = TIES["apart"]
    plain, controlled = (
        fit_strengths(build_comparisons(votes, rule, styles=styles), rule, 0.25).parameters for styles in (False, True)
    )
    assert plain[0] - plain[1] > 0.5
    assert abs(controlled[0] - controlled[1]) < 0.3
