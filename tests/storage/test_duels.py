"""Batches and their pairs: given out, put back, graded, shown; and comparisons that are put away."""

from __future__ import annotations

from datetime import timedelta

import pytest

import playground.storage.duels as module
from playground.domain import Conversation, FinishReason, Message, utc_now
from playground.errors import UnknownConversation
from playground.storage.comparisons import ComparisonStore, KeptComparison
from playground.storage.conversations import ConversationStore
from playground.storage.database import Database
from playground.storage.duels import DuelStore, KeptDuel, Tally


def paired(database: Database, batch: str, count: int) -> list[str]:
    """So many pairs of one batch, all made at the same moment."""
    sides, store, now = ConversationStore(database, sides=True), ComparisonStore(database), utc_now()
    side = Conversation("batch", comparison_id=batch, model_id="pip")
    sides.add(side, [])
    made = [
        KeptComparison(
            owner="", mode="duel", schedule="in_turn", language="en", batch=batch, created_at=now, updated_at=now
        )
        for _ in range(count)
    ]
    for kept in made:
        store.add(kept, [side.id, side.id])
    return [kept.id for kept in made]


def grade(database: Database, owner: str, pair: str) -> None:
    ComparisonStore(database).change(owner, pair, winner="tie")


def test_a_batch_is_kept_as_it_was_first(database: Database) -> None:
    store = DuelStore(database)
    duel = KeptDuel("d" * 32, ("pip", "echo"), ("What?", None))
    store.add(duel)
    store.add(KeptDuel(duel.id, ("echo",), ("Other?",)))
    assert store.get(duel.id) == store.listed()[0] == duel
    assert store.find("e" * 32) is None
    with pytest.raises(UnknownConversation, match="batch"):
        store.get("e" * 32)


def test_a_pair_that_nobody_grades_goes_to_the_next(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    store, comparisons = DuelStore(database), ComparisonStore(database)
    (pair,) = paired(database, "b", 1)
    assert store.pairs("b") == {pair}
    assert store.claim("anna", "c") is None
    assert store.claim("anna") == store.claim("anna", "b") == pair
    assert store.claim("bob") is None
    monkeypatch.setattr(module, "CLAIM_TIME", timedelta(seconds=-1))
    assert store.claim("bob") == pair
    with pytest.raises(UnknownConversation):
        comparisons.get("anna", pair)
    found = comparisons.get("bob", pair)
    assert [one.model_id for one in found.sides] == ["pip", "pip"]
    grade(database, "bob", pair)
    assert store.claim("bob") is None
    assert found.created_at <= utc_now()


def test_a_pair_that_is_put_back_comes_after_all_others(database: Database) -> None:
    store = DuelStore(database)
    pairs = set(paired(database, "b", 3))
    first = store.claim("anna", "b")
    assert first is not None
    store.release("anna", first)
    with pytest.raises(UnknownConversation):
        store.release("anna", first)
    seen = []
    for _ in pairs:
        pair = store.claim("anna", "b")
        assert pair is not None
        grade(database, "anna", pair)
        seen.append(pair)
    assert (set(seen), seen[-1]) == (pairs, first)
    with pytest.raises(UnknownConversation):
        store.release("anna", first)


def test_names_are_shown_to_whoever_graded(database: Database) -> None:
    store = DuelStore(database)
    paired(database, "b", 3)
    for owner in ("anna", "anna", "bob"):
        pair = store.claim(owner, "b")
        assert pair is not None
        grade(database, owner, pair)
    assert store.tallies("anna", ["b"]) == {"b": Tally(answers=0, pairs=3, graded=3, left=0, mine=2, hidden=2)}
    last = store.last_graded("anna", "b")
    shown = store.reveal("anna", "b")
    told = store.revealed("anna", "b")
    assert told[-1] == module.GradedPair(last or "", "", ("pip", "pip"), "tie")
    assert {one.id for one in told} == set(shown)
    assert (len(shown), store.last_graded("anna", "b"), store.reveal("anna", "b")) == (2, None, [])
    assert store.tallies("anna", ["b"])["b"].hidden == 0
    assert store.tallies("bob", ["b"])["b"].hidden == 1
    assert store.tallies("anna", ["none"]) == {"none": Tally()}


def test_answers_are_counted_that_need_not_be_asked_again(database: Database) -> None:
    sides = ConversationStore(database, sides=True)
    for text, reason in (
        ("An answer.", FinishReason.STOP),
        ("A long", FinishReason.LENGTH),
        ("", FinishReason.CONTENT_FILTER),
        ("", FinishReason.STOP),
        ("Half", FinishReason.CANCELLED),
    ):
        asked = Message("user", "What?")
        said = Message("assistant", text, parent_id=asked.id, finish_reason=reason)
        sides.add(Conversation("batch", comparison_id="b", leaf_id=said.id), [asked, said])
    assert DuelStore(database).tallies("anna", ["b"])["b"].answers == 3


def test_a_comparison_is_put_away_brought_back_and_removed_with_its_words(database: Database) -> None:
    sides, store = ConversationStore(database, sides=True), ComparisonStore(database)
    kept = KeptComparison(owner="anna", mode="named", schedule="together", language="en", title="What?")
    asked = Message("user", "What?")
    side = Conversation("anna", comparison_id=kept.id, model_id="pip", leaf_id=asked.id)
    sides.add(side, [asked])
    store.add(kept, [side.id])
    with pytest.raises(UnknownConversation):
        store.delete("bob", kept.id)
    store.delete("anna", kept.id)
    assert store.listed("anna") == []
    for use in (lambda: store.get("anna", kept.id), lambda: store.change("anna", kept.id, winner="tie")):
        with pytest.raises(UnknownConversation):
            use()
    store.restore("anna", kept.id)
    assert [one.id for one in store.listed("anna")] == [kept.id]
    assert store.purge(utc_now()) == 0
    store.delete("anna", kept.id)
    assert store.purge(utc_now() - timedelta(days=1)) == 0
    assert store.purge(utc_now() + timedelta(seconds=1)) == 1
    assert sides.messages(side.id, [asked.id]) == {}
    with pytest.raises(UnknownConversation):
        store.restore("anna", kept.id)


def test_pairs_of_a_batch_cannot_be_put_away(database: Database) -> None:
    (pair,) = paired(database, "b", 1)
    DuelStore(database).claim("anna", "b")
    with pytest.raises(UnknownConversation):
        ComparisonStore(database).delete("anna", pair)
