"""Receipts are kept without a word of what they are about."""

from __future__ import annotations

from datetime import timedelta

from playground.domain import Action, Direction, Finding, Ruling, Verdict, utc_now
from playground.storage.database import Database
from playground.storage.decisions import DecisionStore


def test_every_ruling_is_a_row(database: Database) -> None:
    rulings = (
        Ruling(Finding("email", 0.9, (3, 17), "personal_data", "2", "because"), Action.REDACT, 0.5),
        Ruling(Finding("profanity", 0.6, (20, 24), "word_list", "1"), Action.WARN, 0.4),
    )
    verdict = Verdict(Direction.INPUT, Action.REDACT, rulings, "standard", 2.5)
    store = DecisionStore(database)
    store.record([verdict], owner="anna", language="vi", model_id="pip", conversation_id="c1")
    rows = sorted(store.newest(), key=lambda row: row["score"], reverse=True)
    assert [(row["category"], row["action"], row["score"], row["threshold"]) for row in rows] == [
        ("email", "redact", 0.9, 0.5),
        ("profanity", "warn", 0.6, 0.4),
    ]
    assert {(row["verdict_id"], row["conversation_id"], row["policy"], row["language"]) for row in rows} == {
        (verdict.id, "c1", "standard", "vi")
    }
    assert (rows[0]["span_start"], rows[0]["span_end"], rows[0]["detector"], rows[0]["version"]) == (
        3,
        17,
        "personal_data",
        "2",
    )


def test_a_check_that_could_not_run_is_a_row_too(database: Database) -> None:
    verdict = Verdict(Direction.INPUT, Action.BLOCK, degraded=("toxicity",), unavailable=True, policy="strict")
    store = DecisionStore(database)
    store.record([verdict], owner="anna", language="en", model_id="pip", conversation_id=None)
    (row,) = store.newest()
    assert (row["action"], row["category"], row["degraded"], row["unavailable"]) == ("block", None, ["toxicity"], True)


def test_a_decision_comes_back_with_what_its_owner_may_ask_about(database: Database) -> None:
    finding = Finding("slur", 0.7, (2, 9), "detoxify", "x", windows=3)
    ruling = Ruling(finding, Action.ALLOW, 0.5, Action.BLOCK)
    verdict = Verdict(Direction.OUTPUT, Action.ALLOW, (ruling,), language="vi", text_hash="abc", text_length=7)
    store = DecisionStore(database)
    store.record([verdict], owner="anna", language="en", model_id="pip", conversation_id=None)
    (decision,) = store.of_verdict("anna", verdict.id)
    assert decision.ruling == ruling
    assert (decision.language, decision.text_hash, decision.text_length) == ("vi", "abc", 7)
    assert store.of_verdict("binh", verdict.id) == []
    now = utc_now()
    assert store.since(now - timedelta(minutes=5)) == [decision]
    assert store.since(now + timedelta(minutes=5)) == []


def test_nothing_to_record_writes_nothing(database: Database) -> None:
    store = DecisionStore(database)
    store.record([], owner="anna", language="en", model_id="pip", conversation_id=None)
    assert store.newest() == []
