"""Receipts and reports on the chat page: what a card tells, who may report what, and what the page sends along."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from playground.config import Settings
from playground.domain import Action, ChatRequest, Direction, Finding, Ruling, Verdict
from playground.errors import InvalidRequest, UnknownDecision
from playground.services import Services, build
from playground.ui import chat_view
from playground.ui.app import create_app
from playground.ui.chat_view import ChatView
from playground.ui.notice_view import verdict_notice
from playground.ui.words import Words, load_words
from tests.ui.test_app import Tab

ABUSE = "Hello, kill yourself you worthless thing"


def verdict(action: Action, direction: Direction = Direction.INPUT, **more: object) -> Verdict:
    finding = Finding("slur", 0.912, (4, 9), "detoxify", "2", windows=3)
    made = Verdict(direction, action, (Ruling(finding, action, 0.5),), "standard", 12.34, language="vi")
    return replace(made, **more)  # type: ignore[arg-type]


def test_the_receipt_tells_everything(words: Words) -> None:
    made = verdict(Action.BLOCK)
    notice = verdict_notice(made, words)
    assert notice is not None
    assert dict(notice.facts) == {
        "Direction": "your message",
        "Category": "slur",
        "Score": "0.91 (limit 0.50)",
        "Detector": "detoxify 2",
        "Long text": "read in 3 overlapping parts",
        "Policy": "standard",
        "Language": "Vietnamese",
        "Time of the check": "12.3 ms",
        "Receipt": made.id,
    }
    assert notice.receipt == made.id
    assert len(verdict_notice(made, load_words("vi")).facts) == 9  # type: ignore[union-attr]


def test_places_are_told_in_the_persons_own_words_only(words: Words) -> None:
    spans = {
        (action, way): verdict_notice(verdict(action, way), words).spans  # type: ignore[union-attr]
        for action in (Action.BLOCK, Action.WARN, Action.REDACT)
        for way in Direction
    }
    assert {key for key, value in spans.items() if value} == {
        (Action.BLOCK, Direction.INPUT), (Action.WARN, Direction.INPUT),
    }  # fmt: skip
    assert spans[Action.WARN, Direction.INPUT] == ((4, 9),)


def test_a_trial_and_a_check_that_could_not_run_cannot_be_reported(words: Words) -> None:
    assert verdict_notice(verdict(Action.ALLOW), words) is None
    broken = verdict(Action.BLOCK, unavailable=True, rulings=(), degraded=("toxicity",))
    notice = verdict_notice(broken, words)
    assert notice is not None
    assert (notice.receipt, notice.kind) == ("", "unavailable")


def test_reporting_and_flagging_from_a_view(services: Services, words: Words) -> None:
    view = chat_view.sent(ChatView("anna", "echo"), services.chat, words, text=ABUSE, ticket="t")
    assert view.notice is not None
    receipt = view.notice.receipt
    chat_view.reported(view, services.reports, receipt, ABUSE)
    assert services.reports.reported("anna", view.reportable) == {receipt}
    assert services.reports.reported("binh", view.reportable) == frozenset()
    with pytest.raises(UnknownDecision):
        chat_view.reported(replace(view, owner="binh"), services.reports, view.notice.receipt, ABUSE)
    run = services.chat.start(ChatRequest("anna", "echo", "Good morning"))
    assert run.wait(60)
    opened = chat_view.opened(view, services.chat, run.conversation_id or "")
    assert services.reports.reported("anna", opened.reportable) == frozenset()
    chat_view.flagged(opened, services.reports, words, opened.messages[-1].id)
    assert services.reports.reported("anna", opened.reportable) == {opened.messages[-1].id}
    with pytest.raises(InvalidRequest):
        chat_view.flagged(opened, services.reports, words, "0" * 32)


@pytest.fixture
def keeping(isolated: Path) -> Iterator[Services]:
    built = build(Settings(data_dir=isolated / "kept", default_model="echo", keep_flagged_text=True))
    yield built
    built.close()


@pytest.mark.parametrize("keeps", [False, True])
def test_a_report_over_the_wire(services: Services, keeping: Services, keeps: bool) -> None:
    chosen = keeping if keeps else services
    with TestClient(create_app(chosen)) as client:
        tab = Tab(client)
        tab.ask(f"\n{ABUSE}  ")
        notice = tab.values["notice"]
        assert (notice["keeps"], notice["reported"]) == (keeps, [])
        receipt = notice["notice"]["receipt"]
        tab.event("notice", "report", id=receipt, text=f"\n{ABUSE}  " if keeps else "")
        assert tab.values["notice"]["reported"] == [receipt]
        assert tab.values["composer"]["checks"] == "on"
        (report,) = chosen.workbench.reports(labelled=False)
        assert report.text == (ABUSE if keeps else None)
        client.cookies.clear()
        theirs = Tab(client)
        theirs.event("notice", "report", id=receipt, text="")
        assert theirs.values["notice"]["notice"]["kind"] == "error"
        assert chosen.workbench.open_reports() == 1


def test_an_answer_is_flagged_over_the_wire(services: Services) -> None:
    with TestClient(create_app(services)) as client:
        tab = Tab(client)
        tab.ask("Good morning")
        answer = tab.values["thread"]["rows"][-1]["id"]
        tab.event("thread", "missed", id=answer)
        assert tab.values["thread"]["reported"] == [answer]
        reloaded = Tab(client, query=f"?c={tab.values['thread']['conversation']}")
        assert reloaded.values["thread"]["reported"] == [answer]
        (report,) = services.workbench.reports(labelled=False)
        assert (report.kind, report.text) == ("missed", None)
