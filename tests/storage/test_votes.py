"""Votes and comparisons, kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from playground.domain import Conversation, Message, new_id
from playground.errors import InvalidRequest, UnknownConversation
from playground.storage.conversations import ConversationStore
from playground.storage.database import Database
from playground.storage.votes import Vote, VotedSide, VoteStore

VOTE = Vote(
    model_a="a",
    model_b="b",
    winner="model_a",
    mode="blind",
    session="s",
    prompt_hash="p",
    comparison_id="c",
    side_a=VotedSide("main", "int8", "onnx", {"temperature": 0.7, "stop": ["x"]}, "h", {"length": 3}, 7, 0),
)


@pytest.fixture
def votes(database: Database) -> VoteStore:
    return VoteStore(database)


def test_one_vote_for_a_comparison_until_something_is_asked(votes: VoteStore) -> None:
    first = votes.cast(VOTE)
    assert votes.of_comparison("c") == first
    changed = votes.cast(replace(VOTE, id="x" * 32, winner="tie"))
    assert (changed.id, changed.winner, changed.created_at) == (first.id, "tie", first.created_at)
    assert list(votes.every()) == [changed]
    with pytest.raises(InvalidRequest, match="newest question"):
        votes.cast(replace(VOTE, turns=2))


def test_a_settled_vote_stays_as_it_is_and_makes_room_for_another(votes: VoteStore) -> None:
    first = votes.cast(VOTE)
    votes.settle("c")
    votes.settle("another")
    assert votes.of_comparison("c") is None
    second = votes.cast(replace(VOTE, id=new_id(), model_b="z", winner="model_b"))
    votes.withdraw("c")
    assert list(votes.every()) == [replace(first, comparison_id=None)]
    assert second.id != first.id


def test_what_changed_since_is_told(votes: VoteStore) -> None:
    assert votes.state() == (0, None)
    votes.cast(VOTE)
    count, moment = votes.state()
    assert count == 1
    assert moment is not None
    assert list(votes.changed_since(moment)) == []
    ((row,),) = votes.changed_since(moment - timedelta(seconds=1))
    assert (row.model_a, row.winner, row.imported, row.session) == ("a", "model_a", False, "s")
    assert (row.style_a, row.style_b) == ({"length": 3}, None)


def test_every_vote_is_read_in_parts(votes: VoteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("playground.storage.votes._AT_ONCE", 3)
    for count in range(7):
        assert sorted(vote.comparison_id or "" for vote in votes.every()) == [str(at) for at in range(count)]
        votes.cast(replace(VOTE, comparison_id=str(count), id=new_id()))


def test_imported_votes_are_added_once(votes: VoteStore) -> None:
    rows = [replace(VOTE, id=str(number), comparison_id=None, imported=True) for number in range(3)]
    assert (votes.add(rows), votes.add(rows), votes.add([])) == (3, 0, 0)


def test_a_store_of_chats_and_one_of_sides_do_not_see_each_others(database: Database) -> None:
    chats, sides = ConversationStore(database), ConversationStore(database, sides=True)
    chat, side = Conversation("anna"), Conversation("anna", comparison_id="c")
    chats.add(chat, [Message("user", "hello")])
    sides.add(side, [Message("user", "hello")])
    for mine, other, store in ((chat, side, chats), (side, chat, sides)):
        assert [found.id for found in store.listed("anna")] == [mine.id]
        assert [found.id for found in store.listed("anna", "hello")] == [mine.id]
        with pytest.raises(UnknownConversation):
            store.get("anna", other.id)
        with pytest.raises(UnknownConversation):
            store.change("anna", other.id, title="mine")


def test_several_exchanges_are_kept_or_none(database: Database) -> None:
    chats = ConversationStore(database)
    with pytest.raises(UnknownConversation):
        chats.add_all(
            [(Conversation("anna"), []), (Conversation("bob", id="d"), []), (Conversation("anna", id="d"), [])]
        )
    assert chats.listed("anna") == []
