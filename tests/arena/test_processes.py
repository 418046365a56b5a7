"""A comparison in two app processes on one database: what one asks, the other shows, follows, stops and may vote on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from playground.arena.contract import ComparisonView, SideRequest, TableChoice
from playground.errors import Busy, InvalidRequest
from tests.arena.conftest import MODELS, Hall, Saying
from tests.postgres import PostgresServer

LONG = "A token is a piece of text. " * 30


@pytest.fixture
def halls(postgres: PostgresServer, build_hall: Callable[..., Hall]) -> Iterator[tuple[Hall, Hall]]:
    """Two processes; the models of the first take their time."""
    slow = {name: Saying(4, 0.01) for name in MODELS}
    with postgres.database():
        yield build_hall(slow, url=postgres.url()), build_hall(url=postgres.url())


def texts(view: ComparisonView) -> list[str]:
    return [side.messages[-1].content for side in view.sides]


def test_a_comparison_is_followed_and_voted_on_in_the_other_process(halls: tuple[Hall, Hall]) -> None:
    here, there = halls
    comparison = here.named()
    assert there.arena.view("anna", comparison.id).sides[0].messages == ()  # known there before anything is asked
    here.arena.ask("anna", comparison.id, LONG)
    seen = there.arena.view("anna", comparison.id)
    assert all(side.running for side in seen.sides)
    with pytest.raises(Busy):
        there.arena.ask("anna", comparison.id, "And then?")
    later = there.arena.wait("anna", comparison.id, seen.version, 5)
    assert later.version > seen.version
    ended = there.settle(comparison)
    assert texts(ended) == [LONG.strip()] * 2
    assert ended.may_vote
    voted = there.arena.vote("anna", comparison.id, "model_b")
    assert voted.comparison.winner == "model_b"
    assert here.arena.view("anna", comparison.id).comparison.winner == "model_b"
    board = TableChoice(modes=("named",))
    assert here.arena.leaderboard(board).battles == there.arena.leaderboard(board).battles == 1
    there.answered(comparison, "And then?")
    again = here.arena.view("anna", comparison.id)
    assert texts(again) == ["And then?"] * 2
    with pytest.raises(InvalidRequest, match="vote"):
        here.arena.vote("anna", comparison.id, "tie")


def test_stop_and_other_sides_reach_the_other_process(halls: tuple[Hall, Hall]) -> None:
    here, there = halls
    comparison = here.named()
    here.arena.ask("anna", comparison.id, LONG)
    there.arena.view("anna", comparison.id)
    there.arena.stop("anna", comparison.id, 0)
    ended = here.settle(comparison)
    assert len(texts(ended)[0]) < len(texts(ended)[1]) == len(LONG.strip())
    there.settle(comparison)
    there.arena.change_side("anna", comparison.id, 2, SideRequest(MODELS[2]))
    assert [side.model_id for side in here.arena.view("anna", comparison.id).sides] == list(MODELS[:3])


def test_a_blind_battle_tells_no_more_in_the_other_process(halls: tuple[Hall, Hall]) -> None:
    here, there = halls
    comparison = here.blind()
    here.arena.ask("anna", comparison.id, LONG)
    view = there.arena.view("anna", comparison.id)
    assert not any(side.model_id or side.tokens for side in view.sides)
    assert there.settle(comparison).may_vote
    assert all(side.model_id for side in there.arena.vote("anna", comparison.id, "tie").sides)
    assert all(side.model_id for side in here.arena.view("anna", comparison.id).sides)
