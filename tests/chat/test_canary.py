"""A canary through the whole chat: what the gate stops is on no wire, on no disk, in no log and no title."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from playground.chat.run import Run
from playground.domain import Blocked, Failed, Finished, ReasoningDelta, TextDelta
from tests.chat.conftest import OUTPUT_ONLY, House, Saying

PHRASES = {
    "plain": "The fox looked up and said: you motherfucker, give me that. And so on.",
    "code fence": "Look:\n```python\nprint('hello')\nname = 'motherfucker'\n```\nThat was it.",
    "line ends": "one\ntwo\nyou\nmotherfucker\nthree\n",
    "at the end": "And the fox said motherfucker",
    "at the start": "motherfucker",
}
ADDRESS = "linh.tran.canary@example.org"


def everywhere(house: House, runs: list[Run], caplog: pytest.LogCaptureFixture) -> str:
    """All text that left the gate, wherever it went."""
    house.chat.close()
    released = [event.text for run in runs for event in run.events() if isinstance(event, TextDelta | ReasoningDelta)]
    titles = [conversation.title for conversation in house.chat.conversations("anna")]
    ends = [repr(run.snapshot()) for run in runs]
    stored = house.stored_bytes().decode("utf-8", errors="ignore")
    return "\n".join([*released, *titles, *ends, stored, caplog.text]).casefold()


@pytest.mark.parametrize("piece_chars", [1, 2, 3, 4, 5])
def test_not_one_character_of_a_blocked_phrase_leaves(
    build_house: Callable[..., House], caplog: pytest.LogCaptureFixture, piece_chars: int
) -> None:
    caplog.set_level(logging.DEBUG)
    engine = Saying(piece_chars)
    house = build_house(engine, policy=OUTPUT_ONLY)
    runs: list[Run] = []
    for phrase in PHRASES.values():
        engine.says = phrase
        runs.append(house.answer("Tell me a story."))
    for run, phrase in zip(runs, PHRASES.values(), strict=True):
        assert isinstance(run.snapshot().end, Blocked)
        assert phrase.startswith(run.snapshot().text)
        assert not run.snapshot().text.rstrip().endswith("m")
    assert "motherf" not in everywhere(house, runs, caplog)


@pytest.mark.parametrize("piece_chars", [1, 2, 3, 4, 5])
def test_an_address_under_redact_never_leaves(
    build_house: Callable[..., House], caplog: pytest.LogCaptureFixture, piece_chars: int
) -> None:
    caplog.set_level(logging.DEBUG)
    engine = Saying(piece_chars)
    house = build_house(engine, policy=OUTPUT_ONLY)
    runs: list[Run] = []
    for sentence in (f"Write to {ADDRESS} today.", f"```\n{ADDRESS}\n```", ADDRESS, f"a\n{ADDRESS}\nb"):
        engine.says = sentence
        runs.append(house.answer("Who can help?"))
    for run in runs:
        end = run.snapshot().end
        assert isinstance(end, Finished)
        assert [verdict.action for verdict in end.verdicts] == ["redact"]
        assert house.messages(run)[-1].verdicts == end.verdicts == run.snapshot().verdicts
    seen = everywhere(house, runs, caplog)
    assert "canary" not in seen
    assert "linh" not in seen


def test_the_canary_is_told_when_a_detector_is_missing(build_house: Callable[..., House]) -> None:
    """The test above means something: with the gate off, the phrase does come through."""
    house = build_house(Saying(3, says=PHRASES["plain"]), policy="off")
    run = house.answer("Tell me a story.")
    assert not isinstance(run.snapshot().end, Blocked | Failed)
    assert run.snapshot().text == PHRASES["plain"]
    assert b"motherf" in house.stored_bytes()
