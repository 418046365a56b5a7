"""Any watcher, from any point, gets the same text; memory follows the text, not the number of tokens."""

from __future__ import annotations

import random

import pytest

from playground.chat.event_log import BLOCK_CHARS, EventLog
from playground.domain import (
    ChatEvent,
    Checking,
    Finished,
    FinishReason,
    Loading,
    Queued,
    ReasoningDelta,
    Stage,
    TextDelta,
)


def texts(events: list[ChatEvent]) -> tuple[str, str]:
    """(reasoning, answer) as a watcher would join them."""
    return (
        "".join(event.text for event in events if isinstance(event, ReasoningDelta)),
        "".join(event.text for event in events if isinstance(event, TextDelta)),
    )


def test_neighbouring_deltas_become_one() -> None:
    log = EventLog()
    for word in ("Xin ", "", "chào", "!"):
        log.append(TextDelta(word))
    assert log.after(0) == [TextDelta("Xin chào!")]
    assert log.after(4) == [TextDelta("chào!")]
    assert log.after(log.position) == []
    assert log.after(10_000) == []


def test_answer_and_reasoning_stay_apart() -> None:
    log = EventLog()
    for event in (ReasoningDelta("let me "), ReasoningDelta("think"), TextDelta("Oslo")):
        log.append(event)
    assert log.after(0) == [ReasoningDelta("let me think"), TextDelta("Oslo")]
    assert (log.joined(ReasoningDelta), log.joined(TextDelta)) == ("let me think", "Oslo")


def test_a_state_gives_way_to_what_comes_next() -> None:
    log = EventLog()
    for event in (Queued(2), Queued(1), Loading(Stage.LOADING, 0.1), Loading(Stage.LOADING, 0.9)):
        log.append(event)
    assert log.after(0) == [Loading(Stage.LOADING, 0.9)]
    log.append(TextDelta("a"))
    log.append(Checking(7))
    log.append(TextDelta("b"))
    log.append(Finished(FinishReason.STOP))
    assert log.after(0) == [TextDelta("a"), TextDelta("b"), Finished(FinishReason.STOP)]


@pytest.mark.parametrize("seed", range(20))
def test_from_every_position_the_rest_is_exactly_what_was_missing(seed: int) -> None:
    chance = random.Random(seed)
    log = EventLog()
    seen: list[tuple[int, tuple[str, str]]] = [(0, ("", ""))]
    for _ in range(200):
        kind = chance.choice([TextDelta, TextDelta, ReasoningDelta, Checking, None])
        if kind is None:
            log.tick()
        elif kind is Checking:
            log.append(Checking(chance.randrange(99)))
        else:
            log.append(kind(chance.choice("abcđế🙂") * chance.randrange(1, 300)))  # type: ignore[call-arg]
        seen.append((log.position, texts(log.after(0))))
    whole = texts(log.after(0))
    for position, before in seen:
        after = texts(log.after(position))
        assert (before[0] + after[0], before[1] + after[1]) == whole


def test_a_long_answer_does_not_cost_an_object_per_token() -> None:
    log = EventLog()
    for _ in range(100_000):
        log.append(TextDelta("tok "))
    assert len(log.after(0)) <= 400_000 / BLOCK_CHARS + 1
    assert len(log.joined(TextDelta)) == 400_000
