from __future__ import annotations

import math
from pathlib import Path

import pytest

from playground.domain import Action, Direction, Finding
from playground.errors import DetectorUnavailable
from playground.moderation.contract import Detector, OutputGuard, Scope
from playground.moderation.moderator import PolicyModerator, build_moderator
from playground.moderation.registry import DETECTORS
from tests.moderation.streams import in_pieces, moderator, stream

TEXT = "A first sentence that is harmless. A second one that is harmless too. And a third one, at last."


def test_a_guard_is_what_the_contract_says() -> None:
    guard: OutputGuard = moderator().guard()
    assert (guard.held, guard.verdicts) == (0, ())


def test_what_is_held_and_what_is_released_add_up() -> None:
    guard = moderator().guard()
    taken = released = 0
    for piece in in_pieces(TEXT, 3):
        taken += len(piece)
        released += len(guard.feed(piece).text)
        assert guard.held == taken - released
    assert released >= len("A first sentence that is harmless. A second one that is harmless too. ")
    assert released + len(guard.finish().text) == len(TEXT)


def test_text_is_released_clause_by_clause() -> None:
    guard = moderator().guard()
    shown = [screened.text for screened in map(guard.feed, in_pieces(TEXT, 1)) if screened.text]
    assert shown == ["A first sentence that is harmless. ", "A second one that is harmless too. "]


def test_after_a_block_nothing_more_comes() -> None:
    guard = moderator().guard()
    assert guard.feed("You fucking thing, whatever that is. ").blocked
    assert guard.feed("Harmless words, quite a lot of them. ").text == ""
    assert guard.finish().text == ""
    assert guard.held == 0
    assert [verdict.action for verdict in guard.verdicts] == [Action.BLOCK]


def test_after_the_end_nothing_more_comes() -> None:
    guard = moderator().guard()
    guard.feed("Hello")
    assert guard.finish().text == "Hello"
    assert guard.finish().text == ""
    assert guard.feed("more").text == ""


def test_a_blocking_verdict_explains_itself_without_the_text() -> None:
    guard = moderator().guard()
    guard.feed("All is well so far, I believe. ")
    screened = guard.feed("But you are a fucking asshole, my friend. ")
    assert screened.verdict is not None
    assert screened.verdict.decisive is not None
    finding = screened.verdict.decisive.finding
    assert (screened.verdict.direction, screened.verdict.policy) == (Direction.OUTPUT, "standard")
    assert (finding.category, finding.detector, finding.explanation) == ("profanity", "words", "word_list:en")
    assert screened.verdict.decisive.threshold == 0.8
    assert not screened.verdict.unavailable
    assert "fuck" not in repr(screened.verdict)


def test_a_warning_is_recorded_once_and_the_text_passes() -> None:
    text = "Oh shit, that went wrong somehow. " + TEXT
    for size in range(1, 9):
        guard = moderator().guard()
        assert stream(guard, in_pieces(text, size)).text == text
        assert [verdict.action for verdict in guard.verdicts] == [Action.WARN]


def test_without_detectors_everything_passes_at_once() -> None:
    guard = moderator("off").guard()
    assert guard.feed("fu").text == "fu"
    assert guard.held == 0
    assert guard.finish().text == ""


def test_a_finding_over_the_border_of_two_units_stops_both() -> None:
    text = "A harmless beginning of a line kill\nyourself and go on with it. "
    for size in range(1, 6):
        assert stream(moderator().guard(), in_pieces(text, size)).text == ""


class Faulty:
    """A detector whose behaviour changes when it meets a trigger word."""

    name = "words"
    version = "1"
    reach = 16
    scope: Scope = "span"

    def __init__(self, fault: str) -> None:
        self._fault = fault

    def scan(self, text: str) -> list[Finding]:
        if "trigger" not in text:
            return []
        match self._fault:
            case "raises":
                raise RuntimeError("bug")
            case "unavailable":
                raise DetectorUnavailable("no memory left")
            case "nan":
                return [Finding("slur", math.nan, (0, 1), self.name, self.version)]
            case "span":
                return [Finding("slur", 0.9, (0, len(text) + 1), self.name, self.version)]
        return []

    def unsettled(self, text: str) -> int:
        if self._fault == "unsettled" and "trigger" in text:
            raise RuntimeError("bug")
        return 0


FAULTS = ["raises", "unavailable", "nan", "span", "unsettled"]


def faulty(fault: str, policy: str | Path = "standard") -> PolicyModerator:
    def make() -> Detector:
        return Faulty(fault)

    return build_moderator(policy, {**DETECTORS, "words": make})


@pytest.mark.parametrize("fault", FAULTS)
def test_a_check_that_cannot_run_shows_nothing_more(fault: str) -> None:
    text = "A harmless beginning of the text. Now trigger it, and then some more. And even more text. "
    for size in (1, 4):
        guard = faulty(fault).guard()
        result = stream(guard, in_pieces(text, size))
        assert result.text == "A harmless beginning of the text. "
        verdict = guard.verdicts[-1]
        assert (verdict.action, verdict.unavailable, verdict.degraded[0]) == (Action.BLOCK, True, "words")
        assert verdict.rulings == ()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_policy_may_go_on_and_say_so(fault: str) -> None:
    text = "A harmless beginning of the text. Now trigger it, and then some more. And even more text. "
    guard = faulty(fault, "lenient").guard()
    assert stream(guard, in_pieces(text, 4)).text == text
    assert [verdict.degraded[0] for verdict in guard.verdicts] == ["words"]
    assert guard.verdicts[0].action is Action.ALLOW
    assert not guard.verdicts[0].unavailable


def test_the_other_detectors_go_on_when_one_is_missing() -> None:
    text = "Now trigger it, and write to me at a.b@example.com, please. "
    guard = faulty("raises", "lenient").guard()
    assert "[e-mail removed]" in stream(guard, in_pieces(text, 4)).text


def test_a_fault_in_the_last_words_is_not_missed() -> None:
    guard = faulty("raises").guard()
    assert guard.feed("trigger").text == ""
    screened = guard.finish()
    assert screened.blocked
    assert screened.text == ""
