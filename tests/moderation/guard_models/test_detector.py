"""The detector on trained models through the real engine, and on models that fail in every way."""

from __future__ import annotations

import logging
import math
import random
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from playground.domain import Action, Direction, SamplingParams
from playground.engines.contract import Prompt
from playground.engines.pool import EnginePool
from playground.errors import DetectorUnavailable
from playground.moderation.contract import Completion, Piece
from playground.moderation.guard_models.detector import GuardDetector
from playground.moderation.moderator import PolicyModerator, equip
from playground.moderation.policy import load_policy
from playground.moderation.registry import DETECTORS
from playground.moderation.time_limit import TimeLimited
from playground.text_models import EngineTextModel
from tests.moderation.guard_models.conftest import make_spec
from tests.moderation.guard_models.test_prompt import FORGERIES, encode, prompt
from tests.moderation.guard_models.tiny import LLAMA, QWEN, ROWS, Lesson, make_text

ModelAt = Callable[[str, Path], EngineTextModel]


@pytest.fixture(scope="module")
def qwen(model_at: ModelAt, qwen_folder: Path) -> GuardDetector:
    return GuardDetector(QWEN.row, model_at(QWEN.row.model, qwen_folder))


@pytest.fixture(scope="module")
def llama(model_at: ModelAt, llama_folder: Path) -> GuardDetector:
    return GuardDetector(LLAMA.row, model_at(LLAMA.row.model, llama_folder))


SENSITIVE = "Politically Sensitive Topics"
SAID = {
    ("qwen3guard-0.6b", Direction.INPUT, ""): [("harm", 0.0, "Safe")],
    ("qwen3guard-0.6b", Direction.INPUT, "rumour"): [("harm_politics", 0.6, f"Controversial: {SENSITIVE}")],
    ("qwen3guard-0.6b", Direction.INPUT, "bomb"): [("harm_violence", 1.0, "Unsafe: Violent")],
    ("qwen3guard-0.6b", Direction.INPUT, "override"): [("jailbreak", 1.0, "Unsafe: Jailbreak")],
    ("qwen3guard-0.6b", Direction.OUTPUT, ""): [("harm", 0.0, "Safe")],
    ("qwen3guard-0.6b", Direction.OUTPUT, "bomb"): [("harm_violence", 1.0, "Unsafe: Violent; Refusal No")],
    ("llama-guard-3-1b", Direction.INPUT, ""): [("harm", 0.0, "safe")],
    ("llama-guard-3-1b", Direction.INPUT, "rumour"): [("harm_misinformation", 1.0, "unsafe: S13")],
    ("llama-guard-3-1b", Direction.OUTPUT, "bomb"): [
        ("harm_violence", 1.0, "unsafe: S1"),
        ("harm_weapons", 1.0, "unsafe: S9"),
    ],
}


@pytest.mark.parametrize("case", SAID, ids=str)
def test_what_a_trained_guard_says(qwen: GuardDetector, llama: GuardDetector, case: tuple[str, Direction, str]) -> None:
    guard, way, trigger = case
    detector = {made.name: made for made in (qwen, llama)}[guard].facing(way, ["an older turn", "the river"])
    chance = random.Random(11)
    for words in (4, 15, 50):
        text = make_text(chance, words, trigger)
        found = sorted(detector.scan(text), key=lambda finding: finding.category)
        assert [(finding.category, finding.explanation) for finding in found] == [(c, e) for c, _, e in SAID[case]]
        assert [finding.score for finding in found] == pytest.approx([score for _, score, _ in SAID[case]], abs=0.1)
        assert {finding.span for finding in found} == {(0, len(text))}
        assert {finding.windows for finding in found} == {1}
        assert {finding.detector for finding in found} == {guard}


def test_receipts_name_the_model_and_its_revision(qwen: GuardDetector) -> None:
    (finding,) = qwen.scan("the river")
    model, revision = finding.version.split("@")
    assert model == "qwen3guard-gen-0.6b"
    assert len(bytes.fromhex(revision)) == 4
    assert qwen.version == finding.version


def test_blank_text_is_not_asked_about(qwen: GuardDetector) -> None:
    assert qwen.scan("") == qwen.scan(" \n\u200b\ufeff") == []
    assert qwen.unsettled("the river") == 0


@pytest.mark.parametrize("at", [0.0, 0.3, 0.62, 1.0])
def test_a_long_text_is_read_to_its_end(qwen: GuardDetector, at: float) -> None:
    words = make_text(random.Random(2), 1500).split()
    words.insert(int(at * len(words)), "bomb")
    text = " ".join(words)
    worst = max(qwen.scan(text), key=lambda finding: finding.score)
    assert worst.category == "harm_violence"
    assert worst.score > 0.9
    assert worst.windows > 8
    assert "bomb" in text[slice(*worst.span)]
    assert worst.span[1] - worst.span[0] < len(text) / 2


def test_a_long_question_leaves_room_for_the_answer(qwen: GuardDetector) -> None:
    question = make_text(random.Random(4), 3000)
    text = make_text(random.Random(5), 40, "bomb")
    assert max(finding.score for finding in qwen.facing(Direction.OUTPUT, [question]).scan(text)) > 0.9


@pytest.mark.parametrize("forgery", FORGERIES)
@pytest.mark.parametrize("way", list(Direction))
def test_no_forgery_makes_a_harmful_text_harmless(
    qwen: GuardDetector, llama: GuardDetector, forgery: str, way: Direction
) -> None:
    for detector in (qwen, llama):
        found = detector.facing(way, [forgery]).scan(f"the bomb river {forgery}")
        assert max(finding.score for finding in found) > 0.5


@pytest.mark.parametrize("lesson", [QWEN, LLAMA])
def test_the_beginning_that_prompts_share_is_computed_once(
    pool: EnginePool, qwen_folder: Path, llama_folder: Path, lesson: Lesson
) -> None:
    folder = {QWEN.row.name: qwen_folder, LLAMA.row.name: llama_folder}[lesson.row.name]
    before = "".join(piece.text for piece in prompt(lesson.row, Direction.INPUT, "")).split("<END CONVERSATION>")[0]
    shared = len(encode(lesson, (Piece(before, markup=True),)))
    params = SamplingParams(temperature=0, max_tokens=1)
    with pool.acquire(make_spec(lesson.row.model, folder)) as engine:
        for text in ("the river walks", "a house holds the letter"):
            tokens = encode(lesson, prompt(lesson.row, Direction.INPUT, text))
            *_, last = engine.generate(Prompt((), tuple(tokens)), params)
    assert last.usage is not None
    assert last.usage.cached_tokens >= shared - 4


class ScriptedModel:
    """Answers as it is told, `first` and then `text`; notes what it was asked."""

    version = "scripted@0"

    def __init__(self, text: str = "", first: Sequence[tuple[str, float]] = (), context: int = 4096) -> None:
        self.text = text
        self.first = tuple(first)
        self.context = context
        self.fault: Exception | None = None
        self.asked: list[str] = []
        self.released = threading.Event()
        self.hangs = False

    def context_length(self) -> int:
        return self.context

    def measure(self, pieces: Sequence[Piece]) -> int:
        return sum(len(piece.text.split()) for piece in pieces)

    def complete(self, pieces: Sequence[Piece], *, max_tokens: int, alternatives: int) -> Completion:
        self.asked.append("".join(piece.text for piece in pieces))
        if self.hangs:
            self.released.wait(60)
        if self.fault:
            raise self.fault
        return Completion(self.text, self.first[:alternatives])


def test_every_question_of_a_guard_is_asked_about_both_sides() -> None:
    model = ScriptedModel(first=[("Yes", math.log(0.9)), ("No", math.log(0.1))])
    detector = GuardDetector(ROWS["shieldgemma-2b"], model)
    found = {finding.category: finding for finding in detector.scan("some text")}
    assert set(found) == {"harm", "harm_hate", "harm_sexual"}
    assert found["harm"].score == pytest.approx(0.9)
    assert found["harm"].explanation == "Yes"
    assert len(model.asked) == 4  # one token each, and nothing more to ask
    assert all("Human Question: some text\n<end_of_turn>" in asked for asked in model.asked)
    model.asked.clear()
    detector.facing(Direction.OUTPUT, ["a question"]).scan("some text")
    assert all("Human Question: a question\n" in asked for asked in model.asked)
    assert all("Chatbot Response: some text\n" in asked for asked in model.asked)
    granite = GuardDetector(ROWS["granite-guardian-3.2-5b"], ScriptedModel("No\n<confidence> High </confidence>"))
    assert {finding.category for finding in granite.scan("a")} >= {"jailbreak", "harm"}
    assert {finding.explanation for finding in granite.scan("a")} == {"No; confidence High"}
    output = granite.facing(Direction.OUTPUT, ["q"]).scan("a")
    assert "jailbreak" not in {finding.category for finding in output}


def test_without_probabilities_the_level_counts() -> None:
    detector = GuardDetector(QWEN.row, ScriptedModel(" Controversial\nCategories: PII, Sorcery"))
    found = {(finding.category, finding.score, finding.explanation) for finding in detector.scan("a text")}
    assert found == {("harm_privacy", 0.6, "Controversial: PII"), ("harm", 0.6, "Controversial")}


def test_an_unsafe_answer_whose_categories_are_unreadable_is_still_unsafe() -> None:
    model = ScriptedModel(" Unsafe\nkill everybody", [(" Unsafe", math.log(0.9)), (" Safe", math.log(0.1))])
    (finding,) = GuardDetector(QWEN.row, model).scan("a text")
    assert (finding.category, finding.score, finding.explanation) == ("harm", pytest.approx(0.9), "Unsafe")


def test_the_beginning_of_a_word_is_read_to_its_end() -> None:
    model = ScriptedModel(" Controversial\nCategories: None", [(" Con", 0.0)])
    assert GuardDetector(QWEN.row, model).scan("a")[0].score == pytest.approx(0.6)
    model.text = " Conveniently"
    with pytest.raises(DetectorUnavailable, match="own form"):
        GuardDetector(QWEN.row, model).scan("a")


def test_a_context_without_room_for_text_is_said() -> None:
    with pytest.raises(DetectorUnavailable, match=r"context of qwen3guard-gen-0\.6b is too short"):
        GuardDetector(QWEN.row, ScriptedModel(context=300)).scan("a text")


def gate(tmp_path: Path, model: ScriptedModel) -> PolicyModerator:
    path = tmp_path / "own.toml"
    path.write_text(
        'extends = "standard"\nunit = "answer"\ntime_limit = 0.3\n'
        '[detectors]\ninput = ["qwen3guard-0.6b"]\noutput = ["qwen3guard-0.6b"]\n',
        encoding="utf-8",
    )
    registry = {**DETECTORS, "qwen3guard-0.6b": lambda: GuardDetector(QWEN.row, model)}
    return equip(load_policy(path, registry), registry)


FAULTS = {
    "raises": lambda model: setattr(model, "fault", ZeroDivisionError("quite secret")),
    "unavailable": lambda model: setattr(model, "fault", DetectorUnavailable("The model is not there.")),
    "hangs": lambda model: setattr(model, "hangs", True),
    "garbage": lambda model: setattr(model, "text", "quite secret"),
    "nothing": lambda model: setattr(model, "text", ""),
    "nan": lambda model: setattr(model, "first", ((" Safe", math.nan),)),
    "infinite": lambda model: setattr(model, "first", ((" Safe", math.inf),)),
    "another word": lambda model: setattr(model, "first", (("The", -0.1), (" Safe", -2.0))),
    "no context": lambda model: setattr(model, "context", 0),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("way", list(Direction))
def test_a_guard_that_fails_lets_nothing_pass(
    tmp_path: Path, fault: str, way: Direction, caplog: pytest.LogCaptureFixture
) -> None:
    model = ScriptedModel(" Safe\nCategories: None")
    moderator = gate(tmp_path, model)
    assert moderator.check_input("harmless words").text == "harmless words"
    FAULTS[fault](model)
    with caplog.at_level(logging.INFO):
        if way is Direction.INPUT:
            released, verdict = (screened := moderator.check_input("harmless words")).text, screened.verdict
        else:
            guard = moderator.guard(context=["a question"])
            released = guard.feed("harmless words. And more.").text + guard.finish().text
            verdict = guard.verdicts[-1]
    model.released.set()
    assert released == ""
    assert verdict is not None
    assert (verdict.action, verdict.unavailable, verdict.degraded) == (Action.BLOCK, True, ("qwen3guard-0.6b",))
    assert "secret" not in caplog.text
    assert "harmless words" not in caplog.text


def test_levels_become_allow_warn_and_block(tmp_path: Path) -> None:
    model = ScriptedModel()
    moderator = gate(tmp_path, model)
    actions = {}
    for level in ("Safe", "Controversial", "Unsafe"):
        model.text = f" {level}\nCategories: Violent"
        verdict = moderator.check_input("some words").verdict
        actions[level] = verdict.action if verdict else Action.ALLOW
    assert actions == {"Safe": Action.ALLOW, "Controversial": Action.WARN, "Unsafe": Action.BLOCK}
    model.text = " Unsafe\nCategories: Politically Sensitive Topics"
    verdict = moderator.check_input("some words").verdict
    assert verdict is not None
    assert verdict.action is Action.WARN


def test_what_is_typed_is_shown_whole_and_an_answer_with_its_question(tmp_path: Path) -> None:
    model = ScriptedModel(first=[(" Safe", 0.0)])
    moderator = gate(tmp_path, model)
    text = "One sentence. Another one. " * 300
    moderator.check_input(text, context=["an older turn"])
    assert len(model.asked) == 1
    assert text.strip() in model.asked[0]
    model.asked.clear()
    guard = moderator.guard(context=["the first question", "the newest question"])
    guard.feed("An answer. It goes on.")
    guard.finish()
    assert len(model.asked) == 1
    assert "USER: the newest question\n\nASSISTANT: An answer. It goes on.\n\n<END" in model.asked[0]


def test_the_time_limit_counts_for_all_streams_together() -> None:
    model = ScriptedModel(" Safe\nCategories: None")
    model.hangs = True
    limited = TimeLimited(GuardDetector(QWEN.row, model), 0.01)
    for turn in range(4):
        with pytest.raises(DetectorUnavailable, match=r"did not answer within 0\.01"):
            limited.facing(Direction.OUTPUT, [f"question {turn}"]).scan("a")
    with pytest.raises(DetectorUnavailable, match="still busy"):
        limited.facing(Direction.OUTPUT, ["another"]).scan("a")
    model.released.set()
    for call in list(limited._late):
        assert call.wait(10)
    assert limited.facing(Direction.INPUT).scan("a")[0].score == 0
    plain = TimeLimited(DETECTORS["words"](), 1)
    assert plain.facing(Direction.OUTPUT) is plain
