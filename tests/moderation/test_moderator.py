from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.domain import Action, Direction
from playground.errors import DetectorUnavailable, PolicyError
from playground.moderation.contract import Detector, Moderator
from playground.moderation.moderator import build_moderator
from playground.moderation.registry import DETECTORS
from tests.moderation.streams import moderator
from tests.moderation.test_guard import FAULTS, faulty


def test_it_is_what_the_contract_says() -> None:
    gate: Moderator = build_moderator("standard")
    assert gate.check_input("Hello there").verdict is None


@pytest.mark.parametrize(
    ("text", "action", "category"),
    [
        ("what the fuck is this", Action.WARN, "profanity"),
        ("đéo hiểu gì", Action.WARN, "profanity"),
        ("those niggers", Action.BLOCK, "slur"),
        ("tao giết mày", Action.BLOCK, "abuse"),
        ("my mail is a.b@example.com", Action.WARN, "email"),
        ("số của tôi 0912345678", Action.WARN, "phone"),
        ("key: ghp_16C7e42F292c6912E7710c838347Ae178B4a", Action.WARN, "secret"),
    ],
)
def test_input_under_the_standard_policy(text: str, action: Action, category: str) -> None:
    screened = moderator().check_input(text)
    assert screened.verdict is not None
    assert screened.verdict.action is action
    assert category in {ruling.finding.category for ruling in screened.verdict.rulings if ruling.action is action}
    assert screened.verdict.direction is Direction.INPUT
    assert screened.text == ("" if action is Action.BLOCK else text)
    assert screened.blocked is (action is Action.BLOCK)


def test_the_receipt_names_the_listed_phrase_rather_than_the_classifier() -> None:
    verdict = moderator("strict").check_input("You stupid pathetic bitch, you worthless moron.").verdict
    assert verdict is not None
    assert verdict.decisive is not None
    carrying = [ruling.finding for ruling in verdict.rulings if ruling.action is verdict.action]
    assert {finding.judged for finding in carrying} == {True, False}
    assert max(finding.score for finding in carrying if finding.judged) > verdict.decisive.finding.score
    assert verdict.decisive.finding.explanation == "word_list:en"


@pytest.mark.parametrize(
    "text", ["", " ", "\n" * 10_000, "\x00\x01", "\ud800", "\u202eabc", "🙂" * 1000, "a" * 100_000]
)
def test_odd_input_passes_untouched(text: str) -> None:
    assert moderator().check_input(text).text == text


def test_strict_covers_private_data_before_a_model_reads_it() -> None:
    screened = moderator("strict").check_input("Viết thư cho a.b@example.com giúp tôi")
    assert screened.text == "Viết thư cho [đã ẩn e-mail] giúp tôi"


@pytest.mark.parametrize(
    ("context", "text", "blocked"),
    [
        (["you should kill"], "yourself", True),
        (["ki", "an answer in between"], "ll yourself now", True),
        (["nig"], "gers", True),
        (["mọi"], "đen", True),
        (["you should kill the process."], "yourself is a word", False),
        (["kill yourself"], "what was that?", False),
        ([], "yourself", False),
        (["you should kill"], "", False),
    ],
)
def test_a_phrase_over_two_messages_is_noticed(context: list[str], text: str, blocked: bool) -> None:
    screened = moderator().check_input(text, context=context)
    assert screened.blocked is blocked
    if screened.verdict:
        for ruling in screened.verdict.rulings:
            assert 0 <= ruling.finding.span[0] < ruling.finding.span[1] <= len(text)


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "unsettled"])
def test_a_check_that_cannot_run_blocks_and_says_that_nobody_broke_a_rule(fault: str) -> None:
    screened = faulty(fault).check_input("trigger it")
    assert screened.verdict is not None
    assert (screened.text, screened.verdict.action, screened.verdict.unavailable) == ("", Action.BLOCK, True)
    assert screened.verdict.degraded == ("words",)


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "unsettled"])
def test_a_policy_may_go_on_and_say_so(fault: str) -> None:
    screened = faulty(fault, "lenient").check_input("trigger it")
    assert screened.verdict is not None
    assert (screened.text, screened.verdict.action) == ("trigger it", Action.ALLOW)
    assert (screened.verdict.degraded, screened.verdict.unavailable) == (("words",), False)


def test_a_detector_that_cannot_be_made_is_unavailable_at_every_check() -> None:
    def broken() -> Detector:
        raise DetectorUnavailable("the model file is truncated")

    gate = build_moderator("standard", {**DETECTORS, "words": broken})
    screened = gate.check_input("hello")
    assert screened.verdict is not None
    assert screened.verdict.unavailable
    guard = gate.guard()
    guard.feed("hello")
    assert guard.finish().blocked


def test_the_rulings_are_kept_even_when_a_check_could_not_run() -> None:
    screened = faulty("raises").check_input("trigger a.b@example.com")
    assert screened.verdict is not None
    assert screened.verdict.unavailable
    assert [ruling.finding.category for ruling in screened.verdict.rulings] == ["email"]


def test_policies_by_name_and_by_path(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        'extends = "standard"\n[input]\nprofanity = { action = "block", threshold = 0.3 }\n', encoding="utf-8"
    )
    assert build_moderator(path).check_input("damn").blocked
    assert build_moderator(str(path)).check_input("damn").blocked
    assert not build_moderator("off").check_input("fuck").verdict
    with pytest.raises(PolicyError, match="Unknown policy"):
        build_moderator("nonsense")


@settings(deadline=None)
@given(st.text(), st.lists(st.text(), max_size=3))
def test_whatever_comes_every_span_lies_in_the_text(text: str, context: list[str]) -> None:
    screened = moderator().check_input(text, context=context)
    for ruling in screened.verdict.rulings if screened.verdict else ():
        assert 0 <= ruling.finding.span[0] < ruling.finding.span[1] <= len(text)
