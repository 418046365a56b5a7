"""What people do to the page of the arena, as plain transitions."""

from __future__ import annotations

import pytest

from playground.arena.contract import SideRequest
from playground.domain import SamplingParams
from playground.errors import InvalidRequest, UnknownConversation
from playground.ui.arena import compare_view
from playground.ui.arena.compare_view import ArenaView
from playground.ui.words import Words
from tests.ui.arena.conftest import settled
from tests.ui.arena.memory import MemoryArena

ABUSE = "kill yourself you worthless piece of shit"
BLIND_ONLY = "The models of a blind battle are drawn"


def asked(view: ArenaView, arena: MemoryArena, words: Words, text: str = "Hello there") -> ArenaView:
    return settled(compare_view.sent(view, arena, words, text=text, ticket="1"), arena)


def answers(view: ArenaView) -> list[str]:
    assert view.shown is not None
    return [side.messages[-1].content for side in view.shown.sides]


def test_both_sides_answer_one_question(view: ArenaView, arena: MemoryArena, words: Words) -> None:
    view = asked(view, arena, words)
    assert (view.outcome, view.notice, view.tab) == ("taken", None, "sides")
    assert answers(view) == ["Hello there", "Hello there"]


def test_one_side_can_be_asked_alone(view: ArenaView, arena: MemoryArena, words: Words) -> None:
    view = compare_view.aimed(asked(view, arena, words), 1)
    view = asked(view, arena, words, "Only you")
    assert answers(view) == ["Hello there", "Only you"]
    assert compare_view.aimed(view, 7).only is None


def test_a_blocked_question_is_given_back_and_stored_nowhere(view: ArenaView, arena: MemoryArena, words: Words) -> None:
    view = compare_view.sent(view, arena, words, text=ABUSE, ticket="9")
    assert (view.outcome, view.ticket) == ("refused", "9")
    assert view.notice is not None
    assert view.notice.kind == "blocked"
    assert view.shown is not None
    assert not any(side.messages for side in view.shown.sides)


def test_what_cannot_be_asked_is_given_back(view: ArenaView, arena: MemoryArena, words: Words) -> None:
    with pytest.raises(InvalidRequest):
        compare_view.sent(view, arena, words, text="  ", ticket="2")
    view = compare_view.sent(view, arena, words, text="x" * 40_000, ticket="3")
    assert (view.outcome, view.ticket) == ("refused", "3")
    assert view.notice is not None
    assert view.notice.kind == "error"


def test_sides_come_go_and_change_before_and_after_the_first_question(
    view: ArenaView, arena: MemoryArena, words: Words
) -> None:
    prompt = SideRequest("echo", SamplingParams(temperature=0.1), "Be brief.")
    view = compare_view.changed(view, arena, 2, SideRequest("echo"))
    view = compare_view.changed(view, arena, 0, prompt)
    assert (view.places, view.sides[0]) == (3, prompt)
    view = asked(view, arena, words)
    view = compare_view.changed(view, arena, 1, None)
    assert view.places == 2
    with pytest.raises(InvalidRequest, match="2 to 4"):
        compare_view.changed(view, arena, 0, None)
    fresh = compare_view.closed(view)
    assert (fresh.named, fresh.sides[0]) == (None, prompt)


@pytest.mark.parametrize("position", [4, -1])
def test_a_fifth_side_is_refused(view: ArenaView, arena: MemoryArena, position: int) -> None:
    with pytest.raises(InvalidRequest):
        compare_view.changed(view, arena, position, SideRequest("echo"))


@pytest.mark.parametrize("models", [["echo"], ["echo"] * 5, []])
def test_an_address_names_two_to_four_models(view: ArenaView, models: list[str]) -> None:
    with pytest.raises(InvalidRequest):
        compare_view.composed(view, models)


def test_a_battle_is_hidden_until_the_vote(view: ArenaView, arena: MemoryArena, words: Words) -> None:
    view = compare_view.switched(view, "battle", arena)
    assert (view.hidden, view.places) == (True, 2)
    with pytest.raises(InvalidRequest, match=BLIND_ONLY):
        compare_view.changed(view, arena, 0, SideRequest("echo"))
    view = asked(view, arena, words)
    assert view.hidden
    assert view.shown is not None
    assert not any(side.model_id for side in view.shown.sides)
    view = compare_view.voted(view, arena, compare_view.read_winner("b"))
    assert not view.hidden
    assert view.shown is not None
    assert view.shown.comparison.winner == "model_b"
    assert compare_view.voted(view, arena, "tie").shown.comparison.winner == "tie"  # type: ignore[union-attr]
    assert compare_view.closed(view).hidden


def test_each_tab_keeps_what_it_shows(view: ArenaView, arena: MemoryArena, words: Words) -> None:
    view = asked(view, arena, words)
    battle = asked(compare_view.switched(view, "battle", arena), arena, words, "A battle")
    back = compare_view.switched(battle, "sides", arena)
    assert answers(back) == ["Hello there", "Hello there"]
    assert answers(compare_view.switched(back, "battle", arena)) == ["A battle", "A battle"]
    assert compare_view.switched(back, "board", arena).places == len(back.sides)


def test_an_address_opens_a_comparison_where_it_belongs(view: ArenaView, arena: MemoryArena, words: Words) -> None:
    battle = asked(compare_view.switched(view, "battle", arena), arena, words)
    assert battle.shown is not None
    again = compare_view.opened(view, arena, battle.shown.comparison.id)
    assert (again.tab, answers(again)) == ("battle", ["Hello there", "Hello there"])
    with pytest.raises(UnknownConversation):
        compare_view.opened(ArenaView("1" * 32, view.sides), arena, battle.shown.comparison.id)


def test_nothing_can_be_done_without_a_comparison(view: ArenaView, arena: MemoryArena) -> None:
    with pytest.raises(InvalidRequest, match="no comparison yet"):
        compare_view.retried(view, arena, 0)
    assert compare_view.refreshed(view, arena) == view


def test_an_error_in_a_blind_battle_does_not_tell_whose(view: ArenaView, arena: MemoryArena, words: Words) -> None:
    hidden = compare_view.switched(view, "battle", arena)
    told = compare_view.failed(hidden, words, UnknownConversation("pip has left"))
    assert told.notice is not None
    assert "pip" not in told.notice.text


@pytest.mark.parametrize("read", [compare_view.read_tab, compare_view.read_winner])
def test_unknown_names_are_refused_with_what_there_is(read: object) -> None:
    with pytest.raises(InvalidRequest, match="There are: "):
        read("nothing")  # type: ignore[operator]
