"""A side that gets another model or other settings between turns: whose words, figures and votes are whose."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from playground.arena.contract import ComparisonView, SideRequest
from playground.domain import SamplingParams
from playground.errors import Busy, InvalidRequest
from tests.arena.conftest import MODELS, Hall
from tests.chat.conftest import Saying

OWN = {name: f"Words of {name}." for name in MODELS}


@pytest.fixture
def hall(build_hall: Callable[..., Hall]) -> Hall:
    """Every model says something else."""
    return build_hall({name: Saying(says=text) for name, text in OWN.items()})


def texts(view: ComparisonView, position: int) -> list[str]:
    return [message.content for message in view.sides[position].messages]


def test_other_settings_leave_a_side_its_own_words(hall: Hall) -> None:
    comparison = hall.named()
    before = hall.answered(comparison, "First.")
    hall.arena.change_side("anna", comparison.id, 1, SideRequest(MODELS[1], SamplingParams(max_tokens=2), "Be brief."))
    view = hall.arena.view("anna", comparison.id)
    assert texts(view, 1) == ["First.", OWN[MODELS[1]]]
    assert (view.sides[1].changed, view.sides[1].tokens) == (True, before.sides[1].tokens)
    assert view.sides[0] == before.sides[0]
    view = hall.answered(comparison, "Second.")
    assert texts(view, 0) == ["First.", OWN[MODELS[0]], "Second.", OWN[MODELS[0]]]
    assert texts(view, 1) == ["First.", OWN[MODELS[1]], "Second.", "Words of"]
    assert not view.sides[1].changed


def test_another_model_goes_on_with_turns_that_stay_those_of_the_model_before(hall: Hall) -> None:
    comparison = hall.named()
    hall.answered(comparison, "First.")
    hall.arena.change_side("anna", comparison.id, 1, SideRequest(MODELS[2]))
    side = hall.arena.view("anna", comparison.id).sides[1]
    assert [(message.content, message.model_id) for message in side.messages] == [
        ("First.", None),
        (OWN[MODELS[1]], MODELS[1]),
    ]
    assert (side.changed, side.answer, side.end) == (True, None, None)
    assert (side.tokens, side.tokens_per_second, side.first_token) == (0, None, None)
    view = hall.answered(comparison, "Second.")
    assert texts(view, 1) == ["First.", OWN[MODELS[1]], "Second.", OWN[MODELS[2]]]
    assert view.sides[1].tokens > 0


@pytest.mark.parametrize("request_", [SideRequest(MODELS[2]), SideRequest(MODELS[1], SamplingParams(temperature=0.1))])
def test_no_vote_until_a_changed_side_has_answered_itself(hall: Hall, request_: SideRequest) -> None:
    comparison = hall.named()
    assert hall.answered(comparison, "First.").may_vote
    hall.arena.change_side("anna", comparison.id, 1, request_)
    assert not hall.arena.view("anna", comparison.id).may_vote
    with pytest.raises(InvalidRequest):
        hall.arena.vote("anna", comparison.id, "model_b")
    hall.arena.retry("anna", comparison.id, 1)
    view = hall.settle(comparison)
    assert texts(view, 1) == ["First.", OWN[request_.model_id]]
    assert view.may_vote


def test_a_vote_stays_that_of_the_models_it_was_about(hall: Hall) -> None:
    comparison = hall.named()
    hall.answered(comparison, "First.")
    hall.arena.vote("anna", comparison.id, "model_b")
    assert hall.arena.change_side("anna", comparison.id, 1, SideRequest(MODELS[2])).winner is None
    view = hall.answered(comparison, "Second.")
    assert (view.comparison.winner, view.may_vote) == (None, True)
    hall.arena.vote("anna", comparison.id, "model_a")
    kept = {(vote.model_a, vote.model_b, vote.winner, vote.turns) for vote in hall.votes.every()}
    assert kept == {(*MODELS[:2], "model_b", 1), (MODELS[0], MODELS[2], "model_a", 2)}
    last = hall.votes.of_comparison(comparison.id)
    assert last is not None
    assert last.side_b.tokens == view.sides[1].tokens  # not those of the model before


def test_a_further_side_and_the_same_settings_again_leave_the_vote(hall: Hall) -> None:
    comparison = hall.named()
    hall.answered(comparison, "First.")
    hall.arena.vote("anna", comparison.id, "model_b")
    hall.arena.change_side("anna", comparison.id, 1, SideRequest(MODELS[1]))
    hall.arena.change_side("anna", comparison.id, 2, SideRequest(MODELS[2]))
    hall.arena.change_side("anna", comparison.id, 2, None)
    view = hall.arena.view("anna", comparison.id)
    assert (view.comparison.winner, view.may_vote) == ("model_b", True)
    hall.arena.vote("anna", comparison.id, "tie")
    assert [vote.winner for vote in hall.votes.every()] == ["tie"]
    hall.arena.change_side("anna", comparison.id, 2, SideRequest(MODELS[2]))
    assert hall.arena.change_side("anna", comparison.id, 0, None).winner is None
    assert not hall.arena.view("anna", comparison.id).may_vote  # the one that is left has answered nothing yet


def test_a_battle_keeps_its_models_after_the_vote(hall: Hall) -> None:
    battle = hall.blind()
    hall.answered(battle)
    hall.arena.vote("anna", battle.id, "tie")
    with pytest.raises(InvalidRequest, match="drawn"):
        hall.arena.change_side("anna", battle.id, 0, SideRequest(MODELS[0]))


def test_a_side_is_not_changed_in_the_middle_of_its_answer(build_hall: Callable[..., Hall]) -> None:
    hall = build_hall({MODELS[1]: Saying(piece_chars=1, delay_seconds=0.02, says="So it goes. " * 50)})
    comparison = hall.named()
    hall.arena.ask("anna", comparison.id, "Go.")
    with pytest.raises(Busy):
        hall.arena.change_side("anna", comparison.id, 1, SideRequest(MODELS[2]))
    hall.arena.stop("anna", comparison.id)
    hall.settle(comparison)


def test_a_changed_side_is_known_after_a_restart(build_hall: Callable[..., Hall]) -> None:
    before = build_hall()
    comparison = before.named()
    before.answered(comparison, "First.")
    before.arena.change_side("anna", comparison.id, 1, SideRequest(MODELS[1], SamplingParams(temperature=0.1)))
    view = build_hall().arena.view("anna", comparison.id)
    assert [side.changed for side in view.sides] == [False, True]
    assert not view.may_vote
