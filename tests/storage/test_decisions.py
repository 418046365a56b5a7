"""Receipts are kept without a word of what they are about."""

from __future__ import annotations

from playground.domain import Action, Direction, Finding, Ruling, Verdict
from playground.storage.database import Database
from playground.storage.decisions import DecisionStore


def test_every_ruling_is_a_row(database: Database) -> None:
    rulings = (
        Ruling(Finding("email", 0.9, (3, 17), "personal_data", "2", "because"), Action.REDACT, 0.5),
        Ruling(Finding("profanity", 0.6, (20, 24), "word_list", "1"), Action.WARN, 0.4),
    )
    verdict = Verdict(Direction.INPUT, Action.REDACT, rulings, "standard", 2.5)
    store = DecisionStore(database)
    store.record([verdict], language="vi", model_id="pip", conversation_id="c1")
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
    store.record([verdict], language="en", model_id="pip", conversation_id=None)
    (row,) = store.newest()
    assert (row["action"], row["category"], row["degraded"], row["unavailable"]) == ("block", None, ["toxicity"], True)


def test_nothing_to_record_writes_nothing(database: Database) -> None:
    store = DecisionStore(database)
    store.record([], language="en", model_id="pip", conversation_id=None)
    assert store.newest() == []
