"""What goes in comes out the same; owners are kept apart; deleting can be undone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from playground.domain import (
    Action,
    Conversation,
    Direction,
    Finding,
    FinishReason,
    Making,
    Message,
    Ruling,
    SamplingParams,
    Timings,
    Usage,
    Verdict,
    utc_now,
)
from playground.errors import UnknownConversation
from playground.storage.conversations import ConversationStore
from playground.storage.database import Database
from playground.storage.records import MOST_RULINGS


def verdict(rulings: int = 1) -> Verdict:
    finding = Finding("email", 0.9, (3, 17), "personal_data", "2", "looks like an e-mail address")
    warned = Ruling(replace(finding, category="profanity", score=1.0), Action.WARN, 0.7)
    return Verdict(
        Direction.OUTPUT,
        Action.REDACT,
        (warned,) * (rulings - 1) + (Ruling(finding, Action.REDACT, 0.5),),
        "standard",
        1.5,
    )


def exchange(owner: str = "anna", **changes: object) -> tuple[Conversation, Message, Message]:
    question = Message("user", "Thủ đô của Na Uy là gì?\n```py\nx = 1\n```", verdicts=(verdict(),))
    answer = Message("assistant", "", parent_id=question.id, model_id="pip")
    values = {"title": "Na Uy", "model_id": "pip", "leaf_id": answer.id} | changes
    return Conversation(owner=owner, **values), question, answer  # type: ignore[arg-type]


def test_a_message_comes_back_with_everything_it_had(store: ConversationStore) -> None:
    conversation, question, answer = exchange(params=SamplingParams(stop=("a", "b"), seed=3), system_prompt="Be brief.")
    store.add(conversation, [question, answer])
    done = replace(
        answer,
        content="Oslo 🇳🇴",
        reasoning="Norway…",
        finish_reason=FinishReason.STOP,
        usage=Usage(10, 3, 2),
        timings=Timings(0.1, 0.2, 0.3),
        dropped_messages=4,
        verdicts=(verdict(),),
        error="worker_died",
        making=Making("0a", "1b", ("<think>\n", "</think>\n\n")),
    )
    store.finish(done)
    assert store.get("anna", conversation.id) == conversation
    assert store.messages(conversation.id, [question.id, answer.id]) == {question.id: question, answer.id: done}
    assert store.parents(conversation.id) == {question.id: None, answer.id: question.id}


def test_a_receipt_of_thousands_of_findings_keeps_the_telling_ones(store: ConversationStore) -> None:
    conversation, question, answer = exchange()
    store.add(conversation, [replace(question, verdicts=(verdict(5000),)), answer])
    (kept,) = store.messages(conversation.id, [question.id])[question.id].verdicts
    assert len(kept.rulings) == MOST_RULINGS
    assert kept.decisive == verdict().decisive


def test_progress_is_kept_and_an_end_stays(store: ConversationStore) -> None:
    conversation, question, answer = exchange()
    store.add(conversation, [question, answer])
    store.save_progress(answer.id, "Os", "hm")
    assert store.messages(conversation.id, [answer.id])[answer.id] == replace(answer, content="Os", reasoning="hm")
    ended = replace(answer, content="Oslo", finish_reason=FinishReason.CANCELLED)
    store.finish(ended)
    store.save_progress(answer.id, "Oslo and", "")
    store.finish(replace(answer, content="later", finish_reason=FinishReason.STOP))
    store.save_progress(question.id, "changed", "")
    assert store.messages(conversation.id, [answer.id, question.id]) == {answer.id: ended, question.id: question}


def test_answers_without_an_end_are_marked_interrupted_with_their_text(store: ConversationStore) -> None:
    conversation, question, answer = exchange()
    store.add(conversation, [question, answer])
    store.save_progress(answer.id, "Os", "")
    assert (store.mark_interrupted(), store.mark_interrupted()) == (1, 0)
    found = store.messages(conversation.id, [question.id, answer.id])
    assert found[answer.id] == replace(answer, content="Os", finish_reason=FinishReason.INTERRUPTED)
    assert found[question.id].finish_reason is None


def test_a_second_exchange_changes_options_and_leaf_but_not_the_title(store: ConversationStore) -> None:
    conversation, question, answer = exchange()
    store.add(conversation, [question, answer])
    store.change("anna", conversation.id, title="Renamed")
    more = Message("user", "And Peru?", parent_id=answer.id)
    later = replace(conversation, model_id="echo", params=SamplingParams(), leaf_id=more.id, updated_at=utc_now())
    store.add(later, [more])
    assert store.get("anna", conversation.id) == replace(later, title="Renamed")


def test_nobody_sees_or_changes_what_belongs_to_somebody_else(store: ConversationStore) -> None:
    conversation, question, answer = exchange()
    store.add(conversation, [question, answer])
    assert store.listed("bob") == []
    attempts = [
        lambda: store.get("bob", conversation.id),
        lambda: store.change("bob", conversation.id, title="mine"),
        lambda: store.delete("bob", conversation.id),
        lambda: store.restore("bob", conversation.id),
        lambda: store.add(replace(conversation, owner="bob"), [Message("user", "hi")]),
    ]
    for attempt in attempts:
        with pytest.raises(UnknownConversation):
            attempt()
    assert store.get("anna", conversation.id) == conversation
    assert len(store.parents(conversation.id)) == 2


def test_messages_of_another_conversation_are_not_given_out(store: ConversationStore) -> None:
    first, question, answer = exchange()
    second, *others = exchange()
    store.add(first, [question, answer])
    store.add(second, others)
    assert store.messages(first.id, [question.id, others[0].id]).keys() == {question.id}


def test_many_messages_come_in_one_call(store: ConversationStore) -> None:
    turns = [Message("user", f"{number}") for number in range(1200)]
    conversation = Conversation(owner="anna")
    store.add(conversation, turns)
    assert len(store.messages(conversation.id, [turn.id for turn in turns])) == 1200


def test_deleting_hides_restoring_brings_back_purging_removes(store: ConversationStore, database: Database) -> None:
    conversation, question, answer = exchange()
    store.add(conversation, [question, answer])
    store.delete("anna", conversation.id)
    assert store.listed("anna") == []
    for attempt in (store.get, store.delete):
        with pytest.raises(UnknownConversation):
            attempt("anna", conversation.id)
    assert store.purge(utc_now() - timedelta(hours=1)) == 0
    assert store.restore("anna", conversation.id) == conversation
    assert store.restore("anna", conversation.id) == conversation
    store.delete("anna", conversation.id)
    assert store.purge(utc_now() + timedelta(seconds=1)) == 1
    assert store.parents(conversation.id) == {}
    with pytest.raises(UnknownConversation):
        store.restore("anna", conversation.id)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", True),
        ("na uy", True),
        ("NA UY", True),
        ("thu do", True),
        ("Thủ Đô", True),
        ("x = 1", True),
        ("%", False),
        ("_", False),
        ("oslo", False),
        ("  uy  ", True),
    ],
)
def test_search_looks_at_titles_and_messages_without_case_and_tone_marks(
    store: ConversationStore, query: str, found: bool
) -> None:
    conversation, question, answer = exchange()
    store.add(conversation, [question, answer])
    other, *_ = exchange(owner="bob", title="oslo thu do")
    store.add(other, [])
    assert [match.id for match in store.listed("anna", query)] == ([conversation.id] if found else [])


def test_the_newest_conversation_comes_first(store: ConversationStore) -> None:
    now = utc_now()
    for hours in (2, 0, 1):
        at = now - timedelta(hours=hours)
        store.add(Conversation(owner="anna", title=f"{hours}", updated_at=at), [])
    assert [conversation.title for conversation in store.listed("anna")] == ["0", "1", "2"]
