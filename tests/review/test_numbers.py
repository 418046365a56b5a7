"""Counting decisions: once per decision and name, with zeros, and rates per message that was looked at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from playground.domain import Action, Direction, Finding, Ruling
from playground.review.numbers import MOST_LINES, OTHER, UNAVAILABLE, count_decisions, start_of
from playground.storage.decisions import Decision

NOW = datetime(2026, 5, 6, 13, 30, tzinfo=UTC)


def decision(verdict_id: str, category: str | None, action: Action, hours: float = 1, **more: object) -> Decision:
    ruling = None if category is None else Ruling(Finding(category, 0.9, (0, 1), "words", "1"), action, 0.5)
    values = {
        "verdict_id": verdict_id, "owner": "a", "conversation_id": None, "direction": Direction.OUTPUT,
        "action": action, "ruling": ruling, "policy": "standard", "language": "en", "model_id": "echo", "degraded": (),
        "unavailable": ruling is None, "elapsed_ms": 1.0, "text_hash": "", "text_length": 1,
        "created_at": NOW - timedelta(hours=hours),
    }  # fmt: skip
    return Decision(**(values | more))  # type: ignore[arg-type]


ROWS = [
    decision("v1", "slur", Action.BLOCK),
    decision("v1", "profanity", Action.WARN),
    decision("v1", "profanity", Action.WARN),
    decision("v2", "profanity", Action.WARN, hours=3, language="vi"),
    decision("v3", "profanity", Action.BLOCK, direction=Direction.INPUT, model_id=""),
    decision("v4", None, Action.BLOCK),
    decision("v5", "profanity", Action.ALLOW),
]
MESSAGES = {(Direction.INPUT, ""): 9, (Direction.OUTPUT, "echo"): 6, (Direction.OUTPUT, "pip"): 4}


def test_a_decision_counts_once_for_each_of_its_names() -> None:
    numbers = count_decisions(ROWS, MESSAGES, "category", "day", NOW)
    assert (numbers.decisions, numbers.blocked, numbers.messages) == (5, 3, 20)
    counts = {count.name: count for count in numbers.counts}
    assert set(counts) == {"slur", "profanity", UNAVAILABLE}
    rude = counts["profanity"]
    assert (rude.decisions, rude.blocked, rude.warned, rude.redacted, rude.shadowed) == (4, 1, 2, 0, 1)
    assert rude.per_thousand == 200.0


def test_rates_are_per_message_looked_at_where_that_is_known() -> None:
    ways = {count.name: count for count in count_decisions(ROWS, MESSAGES, "direction", "day", NOW).counts}
    assert (ways["input"].per_thousand, ways["output"].per_thousand) == (100.0, 400.0)
    for dimension in ("language", "model"):
        counts = count_decisions(ROWS, MESSAGES, dimension, "day", NOW).counts
        assert {count.per_thousand for count in counts} == {None}
    assert {count.name for count in count_decisions(ROWS, {}, "model", "day", NOW).counts} == {"echo", "-"}


def test_the_line_has_a_zero_where_nothing_happened() -> None:
    numbers = count_decisions(ROWS, MESSAGES, "category", "day", NOW)
    line = [(moment, count) for moment, name, count in numbers.series if name == "profanity"]
    assert len(line) == 24
    assert line[0][0] == start_of("day", NOW) == datetime(2026, 5, 5, 14, tzinfo=UTC)
    assert line[-1][0] == NOW.replace(minute=0)
    assert sum(count for _, count in line) == 4
    assert dict(line)[datetime(2026, 5, 6, 10, tzinfo=UTC)] == 1


def test_many_names_become_one_line() -> None:
    rows = [decision(f"v{number}", f"category{number}", Action.WARN) for number in range(MOST_LINES + 5)]
    numbers = count_decisions(rows, {}, "category", "month", NOW)
    assert len({name for _, name, _ in numbers.series}) == MOST_LINES + 1
    assert sum(count for _, name, count in numbers.series if name == OTHER) == 5
    assert len(numbers.counts) == MOST_LINES + 5


def test_nothing_at_all() -> None:
    numbers = count_decisions([], {}, "category", "week", NOW)
    assert (numbers.decisions, numbers.messages, numbers.counts, numbers.series) == (0, 0, (), ())
