from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import binom

from benchmarks.coverage import COUNTS, MODELS, SCENARIOS, coverage
from benchmarks.leaderboard import votes_until_parted
from playground.arena.leaderboard import MEAN, POINTS, build_leaderboard
from playground.arena.posterior import infer_strengths
from playground.arena.ratings import TIES, build_comparisons, fit_strengths
from playground.arena.sampler import FLOOR, draw_pair, pair_weights
from playground.arena.votes import A_WINS, build_votes
from playground.errors import InvalidRequest
from tests.arena.simulation import draw_columns, draw_votes

NO_VOTES = build_votes([], [], [])


CELLS = [(models, count) for models in MODELS for count in COUNTS]
TABLES = {3: 40, 10: 20, 50: 20}


@cache
def covered(scenario: str, models: int, count: int) -> tuple[int, int]:
    """How many true strengths lie within their intervals, of how many."""
    inside, total = coverage(SCENARIOS[scenario], models, count, TABLES[models])
    return int(inside.sum()), int(total.sum())


@pytest.mark.parametrize(("models", "count"), CELLS)
def test_intervals_cover_the_truth_in_93_to_97_of_100_cases(models: int, count: int) -> None:
    """As far as so many intervals can tell: one table in a thousand may fail that is right."""
    assert_covered("plain", models, count)


@pytest.mark.parametrize("scenario", ["apart", "davidson", "half", "style-apart", "style-davidson", "style-half"])
def test_they_do_however_ties_are_read_and_with_style_controlled(scenario: str) -> None:
    assert_covered(scenario, 10, 500)


def test_halves_of_a_win_are_not_taken_for_models_alike() -> None:
    """With a vote or two a model, halved ties made models seem alike: intervals were far too narrow."""
    assert_covered("half", 50, 50)


def assert_covered(scenario: str, models: int, count: int) -> None:
    inside, total = covered(scenario, models, count)
    # The strengths of a table add up to nothing, so one of its intervals follows from the others.
    free = total - TABLES[models]
    low, high = binom.ppf(0.001, free, 0.93) / free, binom.ppf(0.999, free, 0.97) / free
    assert low <= inside / total <= high


@pytest.mark.parametrize("count", COUNTS)
def test_intervals_of_tables_of_all_sizes_together_do(count: int) -> None:
    inside, total = np.sum([covered("plain", models, count) for models in MODELS], axis=0)
    assert 0.93 <= inside / total <= 0.97


def test_intervals_widen_when_the_votes_are_few_people_s() -> None:
    """Everybody votes many times and has a taste of their own: 20 people are not 2,000 witnesses."""
    random = np.random.default_rng(1)
    people = np.repeat(np.arange(20), 100)
    taste = random.normal(scale=2.0, size=20)[people]
    won = random.random(2000) < 1 / (1 + np.exp(-taste))
    columns = (["a"] * 2000, ["b"] * 2000, ["model_a" if win else "model_b" for win in won])
    alone = infer_strengths(build_votes(*columns), TIES["apart"])
    grouped = infer_strengths(build_votes(*columns, session=people), TIES["apart"])
    assert grouped.draws.std(axis=0).min() > 3 * alone.draws.std(axis=0).max()


def test_the_table_is_the_same_for_the_same_votes_and_seed() -> None:
    votes = draw_votes(np.array([0.5, 0.0, -0.5]), 60, np.random.default_rng(2))
    assert build_leaderboard(votes, seed=3).standings == build_leaderboard(votes, seed=3).standings


def test_the_table_counts_and_orders() -> None:
    columns = (["a"] * 9 + ["b", "a"], ["b"] * 9 + ["c", "c"], ["model_a"] * 9 + ["model_b", "tie (bothbad)"])
    table = build_leaderboard(build_votes(*columns))
    by_name = {line.model: line for line in table.standings}
    assert table.standings[0].model == "a"
    assert (by_name["a"].votes, by_name["a"].wins, by_name["a"].losses, by_name["a"].ties) == (10, 9, 0, 1)
    assert (by_name["c"].votes, by_name["c"].wins, by_name["c"].ties) == (2, 1, 1)
    assert sum(line.rating for line in table.standings) / 3 == pytest.approx(MEAN)
    assert sum(line.best for line in table.standings) == pytest.approx(1.0)
    order = [line.model for line in table.standings]
    assert table.wins[order.index("a"), order.index("b")] == 9
    assert (table.battles, table.ties) == (11, 1)


def test_ranks_are_shared_until_intervals_part() -> None:
    few = build_leaderboard(build_votes(["a", "b"], ["b", "a"], ["model_a", "model_a"]))
    assert [line.rank for line in few.standings] == [1, 1]
    many = build_leaderboard(build_votes(["a"] * 200, ["b"] * 200, ["model_a"] * 190 + ["model_b"] * 10))
    assert [line.rank for line in many.standings] == [1, 2]
    assert many.standings[0].separate == 0
    assert many.standings[-1].separate is None


def test_neighbours_are_parted_when_their_intervals_are_and_never_share_a_rank_then() -> None:
    seen = set()
    for seed in range(6):
        random = np.random.default_rng(seed)
        lines = build_leaderboard(draw_votes(random.normal(scale=2.0, size=6), 400, random), rounds=0).standings
        for above, below in pairwise(lines):
            parted = above.separate == 0
            assert parted == (above.lower > below.upper)
            assert above.rank < below.rank or not parted
            seen.add(parted)
    assert seen == {False, True}


def test_that_many_more_votes_do_separate() -> None:
    """The estimate is about the votes as they have been: more of the same must part the two near that number."""
    columns = (["a"] * 60, ["b"] * 60, ["model_a"] * 34 + ["model_b"] * 26)
    more = build_leaderboard(build_votes(*columns)).standings[0].separate
    assert more is not None
    assert more > 60
    factor = round((60 + more) / 60 * 1.5)
    grown = build_leaderboard(build_votes(*(list(column) * factor for column in columns)))
    assert grown.standings[0].separate == 0


def test_where_ties_tell_nothing_more_votes_are_wanted() -> None:
    """Half of all votes are ties: to come by as many wins takes twice the votes."""
    columns = (["a"] * 60, ["b"] * 60, ["model_a"] * 34 + ["model_b"] * 26)
    tied = (["a"] * 120, ["b"] * 120, columns[2] + ["tie"] * 60)
    decided, half = (build_leaderboard(build_votes(*one)).standings[0].separate for one in (columns, tied))
    assert decided is not None
    assert half == pytest.approx(2 * decided, abs=2)


def test_more_votes_part_neighbours_among_many_models_near_that_number() -> None:
    columns = draw_columns(np.linspace(1, -1, 6), 300, np.random.default_rng(9), tie_share=0.3)
    lines = build_leaderboard(build_votes(*columns)).standings
    wanted = {line.model: line.separate for line in lines if line.separate}
    assert wanted
    for model, more in wanted.items():
        for share, parted in ((0.5, False), (2.0, True)):
            times = 1 + round(share * more / 300)
            grown = build_leaderboard(build_votes(*(list(column) * times for column in columns))).standings
            assert (next(line.separate for line in grown if line.model == model) == 0) == parted or times == 1


def test_fragility_names_the_votes_that_carry_the_first_place() -> None:
    columns = (["a"] * 100, ["b"] * 100, ["model_a"] * 53 + ["model_b"] * 47)
    table = build_leaderboard(build_votes(*columns))
    assert table.fragility is not None
    assert (table.fragility.votes, table.fragility.rival) == (7, "b")


def test_fragility_is_that_of_the_order_that_style_control_gives() -> None:
    """The better model's answers are short and people like long ones: only style control puts it first."""
    random = np.random.default_rng(10)
    longer = np.where(random.random(400) < 0.9, -1.0, 1.0)
    won = random.random(400) < expit(0.5 + 1.5 * longer)
    columns = (["short"] * 400, ["long"] * 400, ["model_a" if win else "model_b" for win in won])
    votes = build_votes(*columns, styles=longer[:, None])
    table = build_leaderboard(votes, styles=True, width=1.0)
    assert build_leaderboard(votes).standings[0].model == "long"
    assert table.standings[0].model == "short"
    assert table.fragility is not None
    assert table.fragility.rival == "long"
    assert table.fragility.votes is not None

    def still_first(gone: list[int]) -> bool:
        left = votes.where(~np.isin(np.arange(400), gone))
        fit = fit_strengths(build_comparisons(left, TIES["apart"], styles=True), TIES["apart"], 1.0).parameters
        return left.models[int(fit[:2].argmax())] == "short"

    mine = votes.winner == A_WINS
    alike = [np.flatnonzero(mine & (longer == one)).tolist() for one in (-1.0, 1.0)]
    for count, flips in ((table.fragility.votes - 1, False), (table.fragility.votes, True)):
        removals = [alike[0][:some] + alike[1][: count - some] for some in range(count + 1)]
        assert any(not still_first(gone) for gone in removals if len(gone) == count) == flips


def test_a_table_says_how_many_people_voted() -> None:
    columns = (["a"] * 6, ["b"] * 6, ["model_a"] * 6)
    assert build_leaderboard(build_votes(*columns, session=["x", "y", "y", "z", "x", "x"])).people == 3
    assert build_leaderboard(build_votes(*columns, session=["x"] * 6)).people == 1


def test_one_vote_is_a_table_with_wide_intervals() -> None:
    table = build_leaderboard(build_votes(["a"], ["b"], ["model_a"]))
    assert table.standings[0].upper - table.standings[0].lower > POINTS
    assert table.standings[0].rank == table.standings[1].rank == 1


def test_only_ties_leave_all_models_equal() -> None:
    table = build_leaderboard(build_votes(["a"] * 5, ["b"] * 5, ["tie"] * 5))
    assert [line.rating for line in table.standings] == pytest.approx([MEAN, MEAN])
    assert table.fragility is None


def test_no_votes_are_refused_with_the_next_step() -> None:
    with pytest.raises(InvalidRequest, match="Vote in a few battles"):
        build_leaderboard(NO_VOTES)


def test_votes_by_label() -> None:
    votes = build_votes(["a"] * 3, ["b"] * 3, ["model_a"] * 3, labels={"language": ["en", "vi", "en"]})
    assert len(votes.labelled("language", "en")) == 2
    with pytest.raises(InvalidRequest, match="There are: en, vi"):
        votes.labelled("language", "fr")
    with pytest.raises(InvalidRequest, match="no column category"):
        votes.labelled("category", "maths")


def test_new_models_are_drawn_first_and_both_sides_are_random() -> None:
    columns = draw_columns(np.zeros(4), 200, np.random.default_rng(3))
    models = ["m00", "m01", "m02", "m03", "new"]
    random = np.random.default_rng(4)
    pairs = [draw_pair(models, build_votes(*columns), {}, random) for _ in range(60)]
    assert sum("new" in pair for pair in pairs) > 45  # the rest is drawn evenly
    assert 10 < sum(pair[0] == "new" for pair in pairs) < 50


def test_every_pair_keeps_a_chance() -> None:
    votes = draw_votes(np.array([3.0, 2.5, -2.0, -2.5]), 2000, np.random.default_rng(5))
    weights = pair_weights(list(votes.models), votes, {})
    assert votes.appearances().min() >= FLOOR
    apart = ~np.eye(4, dtype=bool)
    assert weights[apart].min() > 0
    assert weights[0, 1] == pytest.approx(weights.max())


def test_a_battle_needs_two_models() -> None:
    with pytest.raises(InvalidRequest, match="two different models"):
        draw_pair(["only"], NO_VOTES, {}, np.random.default_rng(0))


def test_the_sampler_parts_the_best_two_with_fewer_votes() -> None:
    informed = [votes_until_parted(seed, informed=True, batch=50) for seed in range(4)]
    uniform = [votes_until_parted(seed, informed=False, batch=50) for seed in range(4)]
    assert sum(informed) <= 0.7 * sum(uniform)
