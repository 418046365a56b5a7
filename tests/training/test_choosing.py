"""Which weights ship: the development set is what it says, and the best of what is offered is taken."""

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.training.conftest import ignore
from tests.training.wordings import declined_wordings, normalised, scope_wordings
from training.chat import content
from training.chat.choosing import (
    SHARES,
    candidates,
    choose,
    development_questions,
    development_set,
    mixed,
)
from training.chat.exam import LANGUAGES, SETS, read_questions
from training.chat.judging import RightAnswers
from training.chat.model import LeanLlama
from training.chat.names import listed
from training.chat.pipeline import SMOKE, Sources, prepare
from training.chat.rounding import BLOCK
from training.chat.train import Trainer


def test_development_questions_are_neither_in_the_exam_nor_among_the_texts() -> None:
    asked = {normalised(question.turns[0]) for question in development_questions()}
    exam = {normalised(turn) for name in SETS for question in read_questions(name) for turn in question.turns}
    texts = {normalised(text) for text in scope_wordings()}
    texts |= {normalised(text) for language in LANGUAGES for text in declined_wordings(language)}
    assert len(asked) > 800
    assert not asked & exam
    assert not asked & texts


def test_every_development_question_has_an_answer() -> None:
    known = {(language, intent.id) for language in LANGUAGES for intent in content.intents(language)}
    for question in development_questions():
        for expectation in question.expect:
            kind, _, intent = expectation.partition(":")
            assert kind in ("declined", "declined_sum", "exact") or (question.language, intent) in known, question


def test_the_judge_takes_every_right_answer_and_no_other(smoke: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    development = development_set(smoke.corpus.encoder, SMOKE.shape.context, 12)
    assert development.asked == 12
    rows = [ids for _, ids, _ in development.tokens]

    def knows(model: object, part: list[list[int]]) -> torch.Tensor:
        """The likeliest next token is the next of the row, as if the answers were known by heart."""
        shifted = [torch.tensor([*ids[1:], 0]) for ids in part]
        return torch.nn.utils.rnn.pad_sequence(shifted, batch_first=True)

    assert len(rows) >= 12
    monkeypatch.setattr(development, "likeliest", knows)
    assert len(development.right(smoke.model)) == 12
    monkeypatch.undo()
    assert development.right(smoke.model) == set()


def test_mixtures_lie_between() -> None:
    new, old = {"a": torch.tensor([1.0, 3.0])}, {"a": torch.tensor([0.0, 1.0])}
    assert torch.allclose(mixed(new, old, 0.25)["a"], torch.tensor([0.25, 1.5]))
    names = [name for name, _ in candidates({"the last average": new}, old)]
    assert names[0] == "the last average"
    assert names[1:] == [f"{share:.0%} the last average, {1 - share:.0%} the weights it began from" for share in SHARES]
    assert [name for name, _ in candidates({"the last average": new}, None)] == names[:1]


def test_the_weights_with_most_right_answers_are_written(smoke: Trainer, tmp_path: Path) -> None:
    offered = {
        name: {part: torch.full_like(weight, value) for part, weight in smoke.model.state_dict().items()}
        for name, value in (("worse", 0.1), ("good", 0.2), ("as good", 0.3))
    }

    lost = {part: torch.full_like(weight, 0.16) for part, weight in smoke.model.state_dict().items()}
    for weight in lost.values():
        weight[..., ::BLOCK] = 4.0  # beside which all others are rounded to nothing
    offered = {"good in full only": lost, **offered}

    class Judge(RightAnswers):
        """Takes weights above 0.15 for good."""

        def right(self, model: torch.nn.Module) -> set[int]:
            return {0} if float(model.get_parameter("layers.0.mlp.gate_proj.weight").detach().mean()) > 0.15 else set()

    judge = Judge(smoke.corpus.encoder, [[("user", "Hi"), ("assistant", "Ho")]], lambda text: [text], 64)
    told: list[str] = []
    path = tmp_path / "chosen.safetensors"
    assert choose(LeanLlama(SMOKE.shape), offered.items(), judge, path, told.append) == "good"
    assert float(next(iter(load_file(path).values())).mean()) == pytest.approx(0.2)
    assert told[0] == "good in full only: 1 of 1 answers of the development set right, 0 in 4 bits"
    assert told[1] == "worse: 0 of 1 answers of the development set right, 0 in 4 bits"


def test_weights_that_a_run_began_from_are_kept(smoke: Trainer, tmp_path: Path) -> None:
    trainer = prepare(SMOKE, tmp_path, Sources(earlier=smoke.folder), ignore)
    begun = load_file(tmp_path / "begun.safetensors")
    for name, weight in trainer.model.named_parameters():
        assert torch.equal(begun[name], weight), name


def test_names_are_asked_for_that_no_text_has() -> None:
    greeted = [
        re.fullmatch(r"exact:(?:Nice to meet you|Rất vui được gặp bạn|Your name is|Bạn tên là),? (.+)[!.]", wanted)
        for question in development_questions()
        for wanted in question.expect
    ]
    names = {found[1] for found in greeted if found}
    assert len(names - set(listed("en")) - set(listed("vi"))) >= 26
