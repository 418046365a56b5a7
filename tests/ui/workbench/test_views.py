"""The workbench in words: plain data in, plain data out, in both languages."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from playground.domain import Action, Direction, Finding, Ruling
from playground.moderation.holding import Held
from playground.moderation.policy import Step, load_policy
from playground.moderation.registry import DETECTORS
from playground.review.examination import DetectorState, Examination, Look
from playground.review.numbers import UNAVAILABLE, Count, Numbers
from playground.review.replay import Change, Replay
from playground.storage.reports import Report, Score
from playground.ui.words import Words, load_words
from playground.ui.workbench.overview_view import name_of, overview_view
from playground.ui.workbench.pieces import Piece, marked_pieces
from playground.ui.workbench.policy_view import policy_view
from playground.ui.workbench.queue_view import report_card
from playground.ui.workbench.replay_view import replay_view, rule_text
from playground.ui.workbench.testbox_view import testbox_view as box_view

WHEN = datetime(2026, 5, 6, tzinfo=UTC)
SCORE = Score(category="slur", score=0.91, threshold=0.5, detector="words", version="3", span=(6, 9))
REPORT = Report(
    owner="anna", kind="wrong", subject_id="d" * 32, direction=Direction.INPUT, action=Action.BLOCK, policy="standard",
    language="en", model_id="pip", scores=(SCORE,), text_hash="h", text_length=12, text="hello bad you",
)  # fmt: skip


def test_numbers_in_words(words: Words) -> None:
    counts = (
        Count(name="slur", decisions=1200, blocked=1000, redacted=0, warned=200, shadowed=0, per_thousand=12.34),
        Count(name=UNAVAILABLE, decisions=1, blocked=1, redacted=0, warned=0, shadowed=0, per_thousand=None),
    )
    numbers = Numbers(decisions=1201, messages=97244, blocked=1001, counts=counts, series=((WHEN, "slur", 3),))
    view = overview_view(numbers, "category", words)
    assert view.table[0] == ("A slur", "1,200", "1,000", "0", "200", "0", "12.3")
    assert view.table[1][-1] == "–"
    assert view.summary == "1,201 decisions about 97,244 messages, 1,001 of them to block."
    assert view.bars[:2] == (
        {"name": "A slur", "action": "Blocked", "count": 1000},
        {"name": "A slur", "action": "Warned", "count": 200},
    )
    assert view.lines == ({"time": 1_778_025_600_000, "name": "A slur", "count": 3},)
    assert overview_view(numbers, "category", load_words("vi")).table[0][1] == "1.200"
    empty = Numbers(decisions=0, messages=5, blocked=0, counts=(), series=())
    assert "5 messages" in overview_view(empty, "model", words).summary


def test_names_as_people_say_them(words: Words) -> None:
    assert name_of("language", "vi", words) == "Tiếng Việt"
    assert name_of("language", "fr", words) == "fr"
    assert name_of("direction", "output", words) == "Answers"
    assert name_of("model", "pip", words) == "pip"
    assert name_of("category", "brand_new", words) == "brand_new"


def test_a_report_as_a_card(words: Words) -> None:
    card = report_card(REPORT, words)
    assert card.title == "A message should not have been flagged: A slur"
    assert [piece.text for piece in card.pieces if piece.marks] == ["bad"]
    assert card.outcome == ""
    hidden = report_card(replace(REPORT, text=None, label="wrong"), words)
    assert (hidden.pieces, hidden.outcome) == ((), "As a case: must pass.")
    missed = report_card(replace(REPORT, kind="missed", direction=Direction.OUTPUT, scores=(), label="wrong"), words)
    assert missed.title == "An answer should have been flagged: nothing was found in it"


@pytest.mark.parametrize(
    ("spans", "marked"),
    [
        ([], []),
        ([(0, 5, "a")], ["hello"]),
        ([(0, 5, "a"), (3, 8, "b")], ["hel", "lo", " wo"]),
        ([(4, 99, "a"), (-3, 1, "b")], ["h", "o world"]),
        ([(5, 5, "a"), (9, 3, "b")], []),
    ],
)
def test_pieces_are_the_whole_text_whatever_the_spans(spans: list[tuple[int, int, str]], marked: list[str]) -> None:
    pieces = marked_pieces("hello world", spans)
    assert "".join(piece.text for piece in pieces) == "hello world"
    assert [piece.text for piece in pieces if piece.marks] == marked
    assert marked_pieces("", []) == ()


def test_overlapping_marks_are_all_told() -> None:
    assert marked_pieces("abc", [(0, 2, "x"), (1, 3, "y")])[1] == Piece("b", ("x", "y"))


def test_a_replay_in_words(words: Words) -> None:
    change = Change(
        verdict_id="e" * 32, created_at=WHEN, before=Action.WARN, after=Action.BLOCK, score=0.61, language="vi",
        model_id="",
    )  # fmt: skip
    steps = (Step(Action.WARN, 0.3, shadow=True), Step(Action.BLOCK, 0.55))
    result = Replay(
        looked=9,
        changed=1,
        turns={(Action.WARN, Action.BLOCK): 1},
        changes=(change,),
        was=steps,
        steps=steps,
        floor=0.3,
    )
    view = replay_view(result, Direction.OUTPUT, "slur", 0.55, words)
    assert view.summary == "1 of 9 decisions would change."
    assert view.turns == ("1 × warned → blocked",)
    assert view.rows[0][1:] == ("warned", "blocked", "0.61", "vi", "–", "eeeeeeee")
    assert view.note == ""
    assert "below 0.30" in replay_view(result, Direction.OUTPUT, "slur", 0.2, words).note


def test_the_rule_of_a_replay_is_one_that_a_policy_file_takes(tmp_path: Path) -> None:
    text = rule_text(Direction.INPUT, "slur", (Step(Action.WARN, 0.3, shadow=True), Step(Action.BLOCK, 0.55)))
    file = tmp_path / "mine.toml"
    file.write_text(f'extends = "standard"\n{text}\n', encoding="utf-8")
    rules = load_policy(file, tuple(DETECTORS)).rules[Direction.INPUT]["slur"]
    assert rules == (Step(Action.WARN, 0.3, shadow=True), Step(Action.BLOCK, 0.55))


def test_a_tried_text_in_words(words: Words) -> None:
    found = Ruling(Finding("slur", 0.9, (6, 9), "words", "3", "word_list:en"), Action.ALLOW, 0.5, Action.BLOCK)
    low = Ruling(Finding("toxicity", 0.2, (0, 5), "words", "3"), Action.ALLOW, 0.5)
    looks = (
        Look(detector="words", version="3", in_policy=True, elapsed_ms=0.5, rulings=(found, low), error=""),
        Look(detector="remote", version="", in_policy=False, elapsed_ms=0.1, rulings=(), error="No address."),
        Look(detector="secrets", version="1", in_policy=True, elapsed_ms=0.1, rulings=(), error=""),
    )
    seen = Examination(
        direction=Direction.INPUT, policy="mine", looks=looks, action=Action.ALLOW, verdicts=(), elapsed_ms=1.5,
        released="hello bad you",
    )  # fmt: skip
    view = box_view(seen, "hello bad you", words)
    assert (view.verdict, view.action) == ("Passes", "allow")
    assert "13 of 13 characters" in view.detail
    first = view.detectors[0].findings[0]
    assert (first.words, first.action, first.reason) == ("bad", "On trial: blocked", "on the English word list")
    assert view.detectors[0].findings[1].action == "Below the limit"
    assert [(card.state, card.asked) for card in view.detectors] == [
        ("found", True), ("broken", False), ("nothing", True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "state", "warned"), [("standard", "on", False), ("off", "off", True), ("lenient", "on", False)]
)
def test_the_policy_in_force(words: Words, name: str, state: str, warned: bool) -> None:
    policy = load_policy(name, tuple(DETECTORS))
    states = [
        DetectorState(name="words", version="3", directions=(Direction.INPUT,), error=""),
        DetectorState(name="remote", version="", directions=(), error=""),
        DetectorState(name="slow", version="", directions=(Direction.OUTPUT,), error="It took too long."),
    ]
    view = policy_view(policy, states, words)
    assert (view.name, view.state, bool(view.warning)) == (name, state, warned)
    assert [row.state for row in view.detectors] == ["ok", "idle", "broken"]
    assert view.detectors[2].text == "Cannot run: It took too long."
    trial = replace(policy, shadow=True, languages={"vi": policy.rules})
    facts = dict(policy_view(trial, [], words).facts)
    assert facts["Rules of their own"] == "vi"
    assert "Held back" not in facts
    facts = dict(policy_view(trial, [], words, Held(1200, 62.4, 140, 310.2, 700)).facts)
    assert facts["Held back"] == "62 characters for 310 ms (95 %: 140 for 700 ms), over the last 1,200 releases"
