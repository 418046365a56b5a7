"""What the operator can do, on real decisions: numbers, labels, cases, trying texts, which detectors run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from playground.domain import Action, Blocked, Direction
from playground.errors import DetectorUnavailable, InvalidRequest, PolicyError
from playground.moderation.moderator import UnavailableDetector
from playground.review.cases import case_lines, should_flag
from playground.review.examination import Examiner
from playground.services import Services
from playground.storage.reports import Report
from tests.review.conftest import BuildServices, ask, messages

ABUSE = "Hello, kill yourself you worthless thing"
RUDE = "This is shit, says the echo."


def reported(services: Services) -> tuple[Report, Report]:
    """A message that was blocked, and an answer that was let through."""
    end = ask(services, ABUSE).snapshot().end
    assert isinstance(end, Blocked)
    wrong = services.reports.report_decision("anna", end.verdict.id, ABUSE)
    answer = messages(services, ask(services, "Good morning"))[-1]
    return wrong, services.reports.report_answer("anna", answer, "en")


def test_numbers_of_real_decisions(services: Services) -> None:
    ask(services, RUDE)
    ask(services, ABUSE)
    numbers = services.workbench.numbers("direction", "day")
    counts = {count.name: (count.decisions, count.blocked) for count in numbers.counts}
    assert counts == {"input": (2, 1), "output": (1, 0)}
    assert numbers.messages == 3


def test_labels_become_regression_cases(services: Services, isolated: Path) -> None:
    wrong, missed = reported(services)
    assert {report.id for report in services.workbench.reports(labelled=False)} == {wrong.id, missed.id}
    services.workbench.label(wrong.id, "wrong")
    services.workbench.label(missed.id, "right")
    assert services.workbench.open_reports() == 0
    cases = {case["id"]: case for case in map(json.loads, services.workbench.cases())}
    assert (cases[wrong.id]["label"], cases[wrong.id]["text"], cases[wrong.id]["category"]) == (0, ABUSE, "abuse")
    assert (cases[missed.id]["label"], cases[missed.id]["text"]) == (0, "Good morning")
    services.workbench.label(wrong.id, "unsure")
    assert len(list(services.workbench.cases())) == 1
    services.workbench.label(wrong.id, "")
    assert services.workbench.open_reports() == 1
    with pytest.raises(InvalidRequest, match="right, wrong, unsure"):
        services.workbench.label(wrong.id, "perhaps")


def test_a_label_says_what_the_text_deserves(services: Services) -> None:
    wrong, missed = reported(services)
    expected = {"right": (True, False), "wrong": (False, True), "unsure": (None, None), None: (None, None)}
    for label, flags in expected.items():
        found = tuple(should_flag(replace(report, label=label)) for report in (wrong, missed))  # type: ignore[arg-type]
        assert found == flags
    hidden = json.loads(next(case_lines([replace(wrong, label="right", text=None)])))
    assert "text" not in hidden
    assert (hidden["label"], hidden["text_hash"], hidden["scores"][0]["category"]) == (1, wrong.text_hash, "abuse")


def test_a_text_is_tried_with_every_detector_and_not_kept(services: Services) -> None:
    seen = services.workbench.examine(ABUSE, Direction.INPUT, "standard", "en")
    assert (seen.action, seen.released, seen.unavailable) == (Action.BLOCK, "", False)
    words = next(look for look in seen.looks if look.detector == "words")
    assert ABUSE[slice(*words.rulings[0].finding.span)] == "kill yourself"
    assert all(look.elapsed_ms >= 0 for look in seen.looks)
    assert {look.detector for look in seen.looks if look.in_policy} == set(
        services.workbench.policy.detectors[Direction.INPUT]
    )
    assert [look.in_policy for look in seen.looks] == sorted((look.in_policy for look in seen.looks), reverse=True)
    assert services.workbench.examine("shit, and more", Direction.OUTPUT, "off", "en").action is Action.ALLOW
    assert services.decisions.newest() == []


def test_an_answer_is_tried_like_a_stream(services: Services) -> None:
    text = "All is well. Write to anna@example.org. Kill yourself, you piece of shit."
    seen = services.workbench.examine(text, Direction.OUTPUT, "standard", "en")
    assert seen.action is Action.BLOCK
    assert seen.released.startswith("All is well.")
    assert "anna@" not in seen.released


def test_what_cannot_be_tried_is_refused(services: Services) -> None:
    with pytest.raises(InvalidRequest, match="200,000"):
        services.workbench.examine("x" * 200_001, Direction.INPUT, "standard", "en")
    with pytest.raises(InvalidRequest, match="there are: standard"):
        services.workbench.examine("x", Direction.INPUT, "/etc/passwd", "en")


def test_the_state_of_every_detector(services: Services) -> None:
    states = {state.name: state for state in services.workbench.detectors()}
    assert states["words"].directions == (Direction.INPUT, Direction.OUTPUT)
    assert states["remote_images"].directions == (Direction.OUTPUT,)
    assert not any(state.error for state in states.values() if state.directions)


def test_a_detector_that_cannot_run_says_why(services: Services) -> None:
    def broken() -> UnavailableDetector:
        raise DetectorUnavailable("The model file is missing.")

    examiner = Examiner({"words": broken}, {})
    policy = replace(services.workbench.policy, detectors=dict.fromkeys(Direction, ("words",)))
    (state,) = examiner.states(policy)
    assert state.error == "The model file is missing."
    seen = examiner.examine("Hello", Direction.INPUT, policy)
    assert (seen.action, seen.unavailable, seen.looks[0].error) == (Action.BLOCK, True, state.error)


def test_a_replay_reads_what_is_stored(services: Services) -> None:
    ask(services, RUDE)
    result = services.workbench.replay(
        direction=Direction.OUTPUT, category="profanity", action=Action.BLOCK, threshold=0.5
    )
    assert (result.looked, result.changed) == (1, 1)
    assert result.changes[0].after is Action.BLOCK


def test_rules_for_a_model_that_is_not_there_are_refused(build_services: BuildServices) -> None:
    with pytest.raises(PolicyError, match=r"mine\.toml, \[models\].*gpt-9"):
        build_services(policy='extends = "standard"\n[models."gpt-9".output]\nslur = "warn"\n')
