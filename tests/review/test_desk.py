"""Reports of mistakes: by whom, about what, and with which text."""

from __future__ import annotations

import pytest

from playground.domain import Action, Blocked, Direction, Verdict
from playground.errors import InvalidRequest, UnknownDecision
from playground.services import Services
from tests.review.conftest import BuildServices, ask, messages, stored_bytes

ABUSE = "Hello, kill yourself you worthless canary"
RUDE = "This is shit, says the canary."


def blocked(services: Services, text: str = ABUSE) -> Verdict:
    end = ask(services, text).snapshot().end
    assert isinstance(end, Blocked)
    return end.verdict


def test_a_person_reports_a_decision_about_their_own_words(services: Services) -> None:
    verdict = blocked(services)
    report = services.reports.report_decision("anna", verdict.id, ABUSE)
    assert (report.kind, report.direction, report.action) == ("wrong", Direction.INPUT, Action.BLOCK)
    assert (report.text, report.text_length, report.policy) == (ABUSE, len(ABUSE), "standard")
    assert report.scores[0].category == "abuse"
    assert ABUSE[slice(*report.scores[0].span)] == "kill yourself"
    assert services.reports.report_decision("anna", verdict.id).id == report.id


def test_nobody_reports_somebody_elses_decision(services: Services) -> None:
    verdict = blocked(services)
    with pytest.raises(UnknownDecision):
        services.reports.report_decision("binh", verdict.id, ABUSE)
    with pytest.raises(UnknownDecision):
        services.reports.report_decision("anna", "0" * 32)
    assert services.workbench.open_reports() == 0


def test_only_the_words_that_were_judged_are_kept(services: Services) -> None:
    report = services.reports.report_decision("anna", blocked(services).id, "Something else entirely")
    assert report.text is None


def test_nothing_is_kept_unless_the_operator_keeps_it(build_services: BuildServices) -> None:
    services = build_services(keep_flagged_text=False)
    verdict = blocked(services)
    assert services.reports.report_decision("anna", verdict.id, ABUSE).text is None
    answer = messages(services, ask(services, "Good morning"))[-1]
    report = services.reports.report_answer("anna", answer, "en")
    assert (report.text, report.text_length) == (None, len("Good morning"))
    services.chat.close()
    assert b"worthless canary" not in stored_bytes(services)


def test_what_a_model_wrote_and_the_gate_blocked_is_never_kept(build_services: BuildServices) -> None:
    policy = 'extends = "standard"\n[input]\nabuse = "allow"\nprofanity = "allow"\n[output]\nabuse = "block"\n'
    services = build_services(policy=policy)
    run = ask(services, ABUSE)
    end = run.snapshot().end
    assert isinstance(end, Blocked)
    report = services.reports.report_decision("anna", end.verdict.id, ABUSE[7:])
    assert (report.direction, report.action, report.text) == (Direction.OUTPUT, Action.BLOCK, None)
    assert report.text_hash == end.verdict.text_hash


def test_an_answer_that_should_have_been_flagged(services: Services) -> None:
    answer = messages(services, ask(services, RUDE))[-1]
    report = services.reports.report_answer("anna", answer, "vi")
    assert (report.kind, report.subject_id, report.text, report.model_id) == ("missed", answer.id, RUDE, "echo")
    assert "profanity" in {score.category for score in report.scores}
    assert report.action is Action.WARN
    question = messages(services, ask(services, "Hi"))[0]
    with pytest.raises(InvalidRequest):
        services.reports.report_answer("anna", question, "en")


def test_every_decision_is_stored_with_its_owner_and_hash_and_without_text(services: Services) -> None:
    run = ask(services, RUDE)
    assert run.conversation_id
    blocked(services)
    services.chat.rename("anna", run.conversation_id, "A shit title")
    services.chat.configure("anna", run.conversation_id, system_prompt="Speak like shit")
    rows = services.decisions.newest()
    assert {(row["direction"], row["action"]) for row in rows} >= {
        ("input", "warn"), ("output", "warn"), ("input", "block"),
    }  # fmt: skip
    assert len({row["verdict_id"] for row in rows}) == 5
    assert all(row["owner"] == "anna" and len(row["text_hash"]) == 32 and row["text_length"] for row in rows)
    assert "canary" not in str(rows)


def test_what_is_on_trial_is_stored_and_told_to_nobody(build_services: BuildServices) -> None:
    services = build_services(policy='extends = "standard"\nshadow = true\n')
    run = ask(services, ABUSE)
    question, answer = messages(services, run)
    assert answer.content == ABUSE
    assert (question.verdicts, answer.verdicts, run.snapshot().verdicts) == ((), (), ())
    rows = services.decisions.newest()
    assert {(row["direction"], row["action"], row["shadow"]) for row in rows} >= {
        ("input", "allow", "block"), ("output", "allow", "block"),
    }  # fmt: skip
