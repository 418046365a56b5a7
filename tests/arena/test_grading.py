"""Grading a batch: pairs one after the other, blind to the end, skipped, taken back, shared between people."""

from __future__ import annotations

import threading

import pytest

from playground.arena.contract import ComparisonView, TableChoice, Winner
from playground.arena.grading import Score
from playground.errors import InvalidRequest, UnknownConversation, UnknownModel
from tests.arena.conftest import MODELS, Hall

QUESTIONS = ("What is a token?", "Thủ đô của Peru là gì?", "Tell me a story.")
DUELS = TableChoice(modes=("duel",))


def begun(hall: Hall, models: tuple[str, ...] = MODELS[:2]) -> str:
    duel = hall.arena.duel(QUESTIONS, models)
    duel.run(lambda _: None)
    return duel.id


def taken(hall: Hall, owner: str, duel_id: str | None = None) -> ComparisonView:
    view = hall.arena.grading.next(owner, duel_id)
    assert view is not None
    return view


def graded(hall: Hall, owner: str, duel_id: str, winner: Winner = "model_a") -> str:
    pair = taken(hall, owner, duel_id).comparison.id
    hall.arena.vote(owner, pair, winner)
    return pair


def nameless(view: object) -> bool:
    return not [name for name in MODELS if name in repr(view)]


def test_pairs_are_graded_blind_by_several_people(hall: Hall) -> None:
    duel_id = begun(hall)
    seen = set()
    for owner in ("anna", "bob", "anna"):
        view = taken(hall, owner, duel_id)
        assert view.may_vote
        assert nameless(view)
        assert taken(hall, owner).comparison.id == view.comparison.id  # until it is graded
        with pytest.raises(InvalidRequest, match="batch"):
            hall.arena.ask(owner, view.comparison.id, "And?")
        told = hall.arena.vote(owner, view.comparison.id, "model_a")
        assert nameless(told)  # a name after each vote would soon be known by its style
        assert told.comparison.winner == "model_a"
        seen.add(view.comparison.id)
    assert len(seen) == 3
    assert hall.arena.grading.next("anna", duel_id) is None
    assert hall.arena.leaderboard(DUELS).battles == 3
    with pytest.raises(UnknownConversation):
        hall.arena.view("carl", seen.pop())


def test_two_people_never_get_the_same_pair(hall: Hall) -> None:
    begun(hall)
    given: list[str] = []
    gate = threading.Barrier(3)

    def take(owner: str) -> None:
        gate.wait()
        given.append(taken(hall, owner).comparison.id)

    threads = [threading.Thread(target=take, args=(owner,)) for owner in ("anna", "bob", "carl")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(set(given)) == 3


def test_a_skipped_pair_comes_last_and_a_vote_can_be_taken_back(hall: Hall) -> None:
    duel_id = begun(hall)
    skipped = taken(hall, "anna", duel_id).comparison.id
    hall.arena.grading.skip("anna", skipped)
    first, second = graded(hall, "anna", duel_id), graded(hall, "anna", duel_id, "tie")
    assert taken(hall, "anna", duel_id).comparison.id == skipped
    assert hall.arena.leaderboard(DUELS).battles == 2
    back = hall.arena.grading.undo("anna", duel_id)
    assert (back.comparison.id, back.comparison.winner, back.may_vote) == (second, None, True)
    assert nameless(back)
    assert hall.arena.leaderboard(DUELS).battles == 1
    assert hall.arena.grading.queue("anna", duel_id).tally.graded == 1
    assert graded(hall, "anna", duel_id, "model_b") == second
    assert graded(hall, "anna", duel_id, "tie (bothbad)") == skipped
    assert hall.arena.grading.undo("anna", duel_id).comparison.id == skipped
    assert hall.arena.grading.undo("anna", duel_id).comparison.id == second
    assert hall.arena.grading.undo("anna", duel_id).comparison.id == first
    for owner in ("anna", "bob"):
        with pytest.raises(InvalidRequest, match="no vote to take back"):
            hall.arena.grading.undo(owner, duel_id)


def test_names_and_results_are_shown_when_they_are_asked_for(hall: Hall) -> None:
    duel_id = begun(hall)
    pairs = [graded(hall, "anna", duel_id, winner) for winner in ("model_a", "tie", "tie (bothbad)")]
    assert nameless(hall.arena.grading.queue("anna", duel_id))
    hall.arena.grading.reveal("anna", duel_id)
    told = hall.arena.grading.queue("anna", duel_id)
    assert [pair.id for pair in told.graded] == pairs
    winner, loser = told.graded[0].models
    assert told.scores == (Score(winner, 1, 0, 1, 1), Score(loser, 0, 1, 1, 1))
    view = hall.arena.view("anna", pairs[0])
    assert {side.model_id for side in view.sides} == set(MODELS[:2])
    assert all(side.tokens for side in view.sides)
    assert not view.may_vote
    with pytest.raises(InvalidRequest):
        hall.arena.vote("anna", pairs[0], "tie")
    with pytest.raises(InvalidRequest, match="no vote to take back"):
        hall.arena.grading.undo("anna", duel_id)


def test_what_is_not_there_is_told(hall: Hall) -> None:
    duel_id = begun(hall)
    for use in (
        lambda: hall.arena.grading.queue("anna", "f" * 32),
        lambda: hall.arena.grading.skip("anna", "f" * 32),
    ):
        with pytest.raises(UnknownConversation):
            use()
    assert hall.arena.grading.next("anna", "f" * 32) is None
    before = taken(hall, "anna", duel_id).comparison.id
    hall.arena._parts.catalog.drop(MODELS[0])
    with pytest.raises(UnknownModel):
        hall.arena.grading.next("anna", duel_id)
    hall.arena._watched.forget([before])
    with pytest.raises(UnknownModel):
        hall.arena.grading.next("bob", duel_id)


def test_a_comparison_is_put_away_and_its_vote_stays(hall: Hall) -> None:
    named = hall.named()
    hall.answered(named)
    hall.arena.vote("anna", named.id, "tie")
    hall.arena.delete("anna", named.id)
    assert hall.arena.listed("anna") == []
    with pytest.raises(UnknownConversation):
        hall.arena.view("anna", named.id)
    assert hall.arena.leaderboard(TableChoice(modes=("named",))).battles == 1
    hall.arena.restore("anna", named.id)
    assert [one.id for one in hall.arena.listed("anna")] == [named.id]
    assert len(hall.arena.view("anna", named.id).sides[0].messages) == 2
