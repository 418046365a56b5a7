"""The columns as they are drawn, and what a blind battle keeps to itself."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from playground.arena.contract import Comparison, ComparisonView, Mode, Schedule, Side, SideRequest, SideView
from playground.catalog.catalog import Catalog
from playground.domain import (
    Action,
    Blocked,
    Direction,
    Failed,
    FinishReason,
    Language,
    Loading,
    Message,
    Stage,
    Timings,
    Usage,
    Verdict,
)  # fmt: skip
from playground.ui.arena.compare_view import ArenaView
from playground.ui.arena.side_view import side_notices, side_pulse, side_turns
from playground.ui.arena.stage_view import StageView, foresee, stage_view
from playground.ui.message_view import chat_messages
from playground.ui.words import Words, load_words
from tests.ui.arena.memory import MemoryArena

OWNER = "0" * 32
VERDICT = Verdict(Direction.OUTPUT, Action.BLOCK, policy="own-policy-of-pip")
USER = Message("user", "Hello")
ANSWER = Message(
    "assistant", "Three short words", model_id="pip", reasoning="I am Pip", finish_reason=FinishReason.STOP,
    usage=Usage(5, 20), timings=Timings(0.0, 0.5, 1.0),
)  # fmt: skip


def seen(*sides: SideView, mode: Mode = Mode.NAMED, **more: object) -> ComparisonView:
    made = tuple(Side(side.position, "conversation", side.model_id or "pip") for side in sides)
    comparison = Comparison(OWNER, mode, made, **more)  # type: ignore[arg-type]
    return ComparisonView(comparison, sides, 1, may_vote=not any(side.running for side in sides))


def side(position: int = 0, **more: object) -> SideView:
    values: dict[str, object] = {"model_id": "pip", "messages": (USER, ANSWER), "running": False, **more}
    return SideView(position, **values)  # type: ignore[arg-type]


def drawn(shown: ComparisonView, catalog: Catalog, words: Words) -> StageView:
    sides = (SideRequest("pip"), SideRequest("echo"))
    view = ArenaView(OWNER, sides)
    blind = shown.comparison.mode is Mode.BLIND
    view = replace(view, tab="battle", blind=shown) if blind else replace(view, named=shown)
    return stage_view(view, catalog, words)


def test_an_empty_page_shows_who_would_answer(catalog: Catalog, words: Words) -> None:
    stage = stage_view(ArenaView(OWNER, (SideRequest("pip"), SideRequest("gone/away"))), catalog, words)
    assert [card.name for card in stage.cards] == ["Pip", "gone/away"]
    assert (stage.empty, stage.may_add, stage.may_remove, stage.ballot.shown) == (True, True, False, False)
    assert stage.seats[0].settings is not None
    assert stage.seats[1].settings is None


def test_figures_of_a_finished_side(catalog: Catalog, words: Words) -> None:
    ended = side(tokens=20, tokens_per_second=19.0, first_token=0.5, memory_bytes=6_600_000)
    pulse = drawn(seen(ended, side(1)), catalog, words).cards[0].pulse
    texts = [text for text, _ in pulse.figures]
    assert texts == ["19.0 tokens/s", "first token in 500 ms", "20 tokens", "6.6 MB of memory", "3 words"]
    assert pulse.outcome == "Answer A finished, 3 words."


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"end": Blocked(VERDICT)}, "Answer A was held back."),
        ({"end": Failed("engine_error", "Broken.")}, "Answer A failed."),
        ({"messages": (USER, replace(ANSWER, finish_reason=FinishReason.CANCELLED))}, "Answer A stopped, 3 words."),
        ({"running": True}, ""),
    ],
)
def test_how_a_side_ended_is_one_sentence(more: dict[str, object], said: str, words: Words) -> None:
    assert side_pulse(side(**more), "Pip", words, blind=False).outcome == said


def test_what_a_side_waits_for(words: Words) -> None:
    waiting = side(messages=(USER, Message("assistant", "")), running=True, stage=Loading(Stage.LOADING, 0.5))
    assert side_pulse(waiting, "Pip", words, blind=False).live.fraction == 0.5
    told = side_pulse(waiting, "Pip", words, blind=True).live
    assert (told.fraction, "Pip" in told.text) == (None, False)


def test_a_notice_says_nothing_of_the_other_side(catalog: Catalog, words: Words) -> None:
    stage = drawn(seen(side(end=Blocked(VERDICT)), side(1)), catalog, words)
    assert [[notice.kind for notice in card.notices] for card in stage.cards] == [["blocked"], []]


WARNING = Verdict(Direction.INPUT, Action.WARN, policy="own-policy-of-pip")
COVERED = Verdict(Direction.OUTPUT, Action.REDACT, policy="own-policy-of-pip")
TALK = (
    replace(USER, verdicts=(WARNING,)),
    replace(ANSWER, id="1", verdicts=(COVERED,)),
    Message("user", "And?"),
    replace(ANSWER, id="2", reasoning="", finish_reason=FinishReason.LENGTH),
    Message("user", "So?"),
    replace(ANSWER, id="3", verdicts=(COVERED,)),
)


def test_notices_of_earlier_turns_stand_below_their_rows(catalog: Catalog, words: Words) -> None:
    turns = side_turns(side(messages=TALK), catalog, words, 30, blind=False)
    kinds = [[notice.kind for notice in turn.notices] for turn in turns]
    assert kinds == [["warned"], [], ["redacted"], [], ["stopped"], [], [], []]  # a thought has a row of its own
    assert (turns[0].text, turns[2].text) == ("Hello", "")
    assert turns[2].notices[0].receipt == COVERED.id
    assert len(chat_messages(TALK, words)) == len(turns)
    assert [bool(turn.notices) for turn in side_turns(side(messages=TALK), catalog, words, 4, blind=False)][:2] == [
        False,
        True,
    ]
    running = side(messages=TALK, running=True)
    assert side_turns(running, catalog, words, 30, blind=False) == turns


def test_what_can_be_reported_is_what_is_on_display(catalog: Catalog, words: Words) -> None:
    view = ArenaView(OWNER, (SideRequest("pip"),) * 2, named=seen(side(messages=TALK), side(1, end=Blocked(VERDICT))))
    assert {"1", "2", "3", WARNING.id, COVERED.id, VERDICT.id} <= view.reportable
    assert "1" not in replace(view, window=2).reportable
    blind = ArenaView(OWNER, (), tab="battle", blind=seen(side(messages=TALK), side(1), mode=Mode.BLIND))
    assert blind.reportable == frozenset()
    stage = stage_view(blind, catalog, words)
    assert not [notice for card in stage.cards for turn in card.turns for notice in turn.notices if notice.receipt]
    assert "own-policy" not in json.dumps(asdict(stage))


def test_nothing_identifying_while_blind(catalog: Catalog, words: Words) -> None:
    ends = (Failed("engine_error", "Pip fell over."), Blocked(VERDICT))
    sides = tuple(side(at, end=end, tokens=20, memory_bytes=9) for at, end in enumerate(ends))
    stage = drawn(seen(*sides, mode=Mode.BLIND), catalog, words)
    told = json.dumps(asdict(stage)).lower()
    assert "pip" not in told
    assert "own-policy" not in told
    assert all(not card.pulse.figures for card in stage.cards)
    assert stage.seats == ()
    assert side_notices(sides[0], words, blind=True)[0].retry is False


def test_names_and_figures_come_with_the_vote(catalog: Catalog, words: Words) -> None:
    shown = seen(
        side(tokens=9), side(1, model_id="echo"), mode=Mode.BLIND, winner="model_b", revealed=True, tainted=True
    )
    stage = drawn(shown, catalog, words)
    assert [card.name for card in stage.cards] == ["Pip", "Echo"]
    assert stage.cards[0].pulse.figures
    assert (stage.ballot.chosen, stage.ballot.result) == ("b", "You found Echo better.")
    assert "kept apart" in stage.ballot.note


def test_the_ballot_opens_when_both_have_finished(catalog: Catalog, words: Words) -> None:
    running = drawn(seen(side(), side(1, model_id="echo", running=True)), catalog, words)
    assert (running.ballot.shown, running.ballot.open, running.busy) == (True, False, True)
    assert drawn(seen(side(), side(1, model_id="echo")), catalog, words).ballot.open
    assert not drawn(seen(side(), side(1), side(2)), catalog, words).ballot.shown


@pytest.mark.parametrize(("language", "said"), [("en", "the same model"), ("vi", "cùng một mô hình")])
def test_a_model_beside_itself_has_no_ballot_and_says_why(catalog: Catalog, language: Language, said: str) -> None:
    ballot = drawn(seen(side(), side(1)), catalog, load_words(language)).ballot
    assert (ballot.shown, ballot.open, ballot.result) == (True, False, "")
    assert said in ballot.closed
    blind = drawn(seen(side(), side(1), mode=Mode.BLIND), catalog, load_words(language)).ballot
    assert (blind.open, blind.closed) == (True, "")


@pytest.mark.parametrize(("schedule", "part"), [(Schedule.TOGETHER, "together"), (Schedule.IN_TURN, "one after")])
def test_the_plan_is_told(schedule: Schedule, part: str, catalog: Catalog, words: Words) -> None:
    assert part in drawn(seen(side(), side(1), schedule=schedule), catalog, words).plan


@pytest.mark.parametrize(("schedule", "part"), [(Schedule.TOGETHER, "together"), (Schedule.IN_TURN, "at random")])
def test_the_plan_is_told_while_blind_without_the_order(
    schedule: Schedule, part: str, catalog: Catalog, words: Words
) -> None:
    running = tuple(side(at, model_id="", running=True) for at in range(2))
    assert part in drawn(seen(*running, mode=Mode.BLIND, schedule=schedule), catalog, words).plan


def test_a_blind_side_without_an_answer_can_answer_again_and_says_what_is_true(catalog: Catalog, words: Words) -> None:
    nothing = Message("assistant", "", finish_reason=FinishReason.ERROR, error="engine_error")
    failed = side(model_id="", messages=(USER, nothing), end=Failed("engine_error", "This side could not answer."))
    fine = side(1, model_id="", messages=(USER, replace(ANSWER, model_id=None, reasoning="")))
    blocked = replace(fine, position=0, end=Blocked(VERDICT), messages=(USER, replace(nothing, error=None)))
    shown = replace(seen(failed, fine, mode=Mode.BLIND), may_vote=False)
    stage = drawn(shown, catalog, words)
    assert [card.retry for card in stage.cards] == [True, False]
    (notice,) = stage.cards[0].notices
    assert (notice.title, notice.retry) == ("This side gave no answer.", True)
    assert "after the vote" not in notice.next
    assert (stage.ballot.open, stage.ballot.hint) == (False, words("arena.vote_unanswered"))
    assert drawn(replace(shown, sides=(blocked, fine)), catalog, words).cards[0].notices[0].retry
    assert not drawn(seen(fine, replace(fine, position=1), mode=Mode.BLIND), catalog, words).ballot.hint


def test_an_answer_of_before_a_change_is_told_as_whose_it_is(catalog: Catalog, words: Words) -> None:
    inherited = side(1, model_id="echo", changed=True)
    stage = drawn(replace(seen(side(), inherited), may_vote=False), catalog, words)
    before, after = stage.cards
    assert [turn.author for turn in after.turns] == ["", "", "Written by Pip, which was here before."]
    assert not [turn.author for turn in before.turns if turn.author]
    assert (after.text, after.pulse.figures, after.pulse.outcome) == ("", (), "")
    assert before.text == ANSWER.content
    assert (stage.ballot.open, "changed" in stage.ballot.hint) == (False, True)
    own = drawn(seen(side(), side(1, changed=True, tokens=20)), catalog, words).cards[1]
    assert (own.text, own.pulse.figures[0][0], own.pulse.outcome) == (ANSWER.content, "20 tokens", "")


@pytest.mark.parametrize(
    ("models", "part"), [(("pip", "echo"), "together"), (("pip",) * 4, "one after"), (("pip", "too-large"), "smaller")]
)
def test_the_plan_is_told_before_anything_is_asked(
    models: tuple[str, ...], part: str, arena: MemoryArena, catalog: Catalog, words: Words
) -> None:
    view = ArenaView(OWNER, tuple(SideRequest(model) for model in models))
    foreseen = foresee(view, arena, words)  # type: ignore[arg-type]
    assert part in foreseen
    assert stage_view(view, catalog, words, foreseen).plan == foreseen
    battle = replace(view, tab="battle")
    assert foresee(battle, arena, words) == ""  # type: ignore[arg-type]


def test_a_side_can_be_aimed_at(catalog: Catalog, words: Words) -> None:
    view = ArenaView(OWNER, (SideRequest("pip"),) * 2, named=seen(side(), side(1)), only=1)
    assert stage_view(view, catalog, words).aim == "Your next question goes to Pip only."
