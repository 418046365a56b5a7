"""Judging by right answers, and meeting more often what an earlier model does not know."""

import json
from collections import Counter
from pathlib import Path

import pytest

from training.chat import content
from training.chat.dialogues import HARD_TIMES, Dialogues
from training.chat.diary import speak
from training.chat.exchange import as_right, chosen
from training.chat.hard import HARD_FILE, every_wording
from training.chat.judging import JUDGED_TOKENS, RightAnswers
from training.chat.pipeline import SMOKE, Sources, prepare
from training.chat.train import Judgement, Trainer

QUESTIONS = ("What is a token?", "Hello!", "Thủ đô của Nhật Bản là gì?", "and then?")


def judge(smoke: Trainer, answers: dict[str, tuple[str, ...]], tokens: int = JUDGED_TOKENS) -> set[int]:
    """The places of the questions that the smoke model answers with one of their answers."""
    conversations = [[("user", question), ("assistant", question)] for question in answers]
    asked = RightAnswers(smoke.corpus.encoder, conversations, answers.__getitem__, 128, tokens)
    return asked.right(smoke.average.module)


def test_right_answers_are_those_of_greedy_decoding(smoke: Trainer) -> None:
    said = {question: speak(smoke.average.module, smoke.corpus.encoder.tokenizer, question) for question in QUESTIONS}
    tokenizer = smoke.corpus.encoder.tokenizer
    again = {question: text for question, text in said.items() if tokenizer.decode(tokenizer.encode(text).ids) == text}
    assert again
    assert judge(smoke, {question: ("no", text) for question, text in again.items()}) == set(range(len(again)))
    assert judge(smoke, dict.fromkeys(again, ("no", "Sorry."))) == set()


def test_answers_that_begin_alike_are_asked_once(smoke: Trainer) -> None:
    turns = [("user", "Hello!"), ("assistant", "x")]
    answers = ("A long answer of many words.", "A long answer.")
    one = RightAnswers(smoke.corpus.encoder, [turns], lambda _: answers, 128, 2)
    assert len(one.tokens) == 1


def test_an_answer_is_as_right_as_those_beside_it() -> None:
    hello = next(intent for intent in content.intents("en") if intent.id == "hello")
    assert set(as_right(hello.answers[0])) == set(hello.answers)
    assert as_right("3 + 4 = 7.") == ("3 + 4 = 7.",)


def test_right_answers_decide_where_there_are_any() -> None:
    assert Judgement(0.2, 0.9).worth > Judgement(0.1, 0.8).worth
    assert Judgement(0.2, None).worth < Judgement(0.1, None).worth
    assert "90.0%" in str(Judgement(0.2, 0.9))


def test_a_run_that_goes_on_asks_the_earlier_model_once(smoke: Trainer, tmp_path: Path) -> None:
    told: list[str] = []
    prepare(SMOKE, tmp_path, Sources(earlier=smoke.folder), told.append)
    hard = json.loads((tmp_path / HARD_FILE).read_text("utf-8"))
    asked = dict(every_wording(SMOKE.plan.seed))
    assert hard
    assert set(hard) <= set(asked)
    assert "asked the earlier model 200 of 200 wordings" in told[-1]
    told.clear()
    again = prepare(SMOKE, tmp_path, Sources(earlier=smoke.folder), told.append)
    assert not told
    talks = again.corpus.talks(1, False)
    assert isinstance(talks, Dialogues)
    assert talks.hard == set(hard)


@pytest.mark.parametrize("language", ["en", "vi"])
def test_hard_wordings_come_more_often(language: str) -> None:
    intent = max(content.intents(language), key=lambda intent: len(intent.questions))
    patterns = chosen(intent.questions, False)
    hard = frozenset(patterns[: len(patterns) // 2])
    talks = Dialogues(5, hard=hard)
    drawn = Counter(talks.pick(intent.questions) in hard for _ in range(4000))
    odds = HARD_TIMES * len(hard) / (len(patterns) - len(hard))
    assert drawn[True] / drawn[False] == pytest.approx(odds, rel=0.25)
    easy = Dialogues(5)
    place = [other.id for other in content.intents(language)].index(intent.id)
    weights = [drawn.intent_weights[language][place] for drawn in (talks, easy)]
    assert weights[0] / weights[1] == pytest.approx(1 + (HARD_TIMES - 1) / 2, rel=0.1)
