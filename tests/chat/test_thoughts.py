"""Models that think, looked into: their tags are tokens of their own, and every token is the one that was written."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken

from playground.chat.inspection import Subject
from playground.chat.run import Run
from playground.chat.thoughts import thoughts_for
from playground.config import Settings
from playground.domain import ChatRequest, Message, SamplingParams
from playground.engines.contract import LegibleTokenizer, Turn
from playground.services import Services, build
from tests.catalogue import write_models
from tests.engines.conftest import TEMPLATE, Reference, make_tokenizer, save_llama

ANNA = "0" * 32
TAGS = ["<think>", "</think>"]
QUESTION = "Xin chào!"
END = 2
OPENING = TEMPLATE.replace("assistant\n' }}", "assistant\n<think>\n' }}")


def save_thinker(folder: Path, template: str) -> None:
    """A random Llama whose tags are one token each, as transformers saves it."""
    core = make_tokenizer()
    core.add_tokens([AddedToken(tag, normalized=False) for tag in TAGS])
    save_llama(folder, core, template)


@pytest.fixture(scope="module")
def thinkers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """The playground on two models that think: one opens its thoughts itself, for the other its template does."""
    folder = tmp_path_factory.mktemp("thinkers")
    rows: dict[str, dict[str, object]] = {}
    for name, template in (("opens", TEMPLATE), ("opened", OPENING)):
        save_thinker(folder / name, template)
        rows[name] = {"engine": "torch", "path": str(folder / name), "reasoning_tags": TAGS}
    models = write_models(folder / "models.toml", rows)
    services = build(
        Settings(
            data_dir=folder / "data",
            models_file=models,
            default_model="opens",
            policy="off",
            engine_threads=1,
            model_start_seconds=600,
            model_stall_seconds=600,
        )
    )
    yield services
    services.close()


def tokenizer_of(services: Services, model: str) -> LegibleTokenizer:
    tokenizer = services.pool.tokenizer(services.catalog.get(model))
    assert isinstance(tokenizer, LegibleTokenizer)
    return tokenizer


def write(services: Services, model: str, tokens: list[int], **params: Any) -> Run:
    """Have a model write exactly these tokens: its answer begins with them, and the last one ends it."""
    first = services.chat.start(ChatRequest(ANNA, model, QUESTION, params=SamplingParams(max_tokens=1)))
    assert first.wait(900)
    request = ChatRequest(
        ANNA,
        model,
        None,
        conversation_id=first.conversation_id,
        parent_id=first.user_message_id,
        params=SamplingParams(**params),
        beginning=(*tokens, END),
    )
    run = services.chat.start(request)
    assert run.wait(900)
    return run


def spelled(services: Services, model: str, text: str) -> list[int]:
    return tokenizer_of(services, model).encode_pieces([(text, True)])


def subject_of(run: Run) -> Subject:
    return Subject(ANNA, run.conversation_id or "", run.message_id or "")


def answer_of(services: Services, run: Run) -> Message:
    return services.chat.select(ANNA, run.conversation_id or "", run.message_id or "").messages[-1]


@pytest.mark.parametrize(
    ("model", "text", "reasoning"),
    [
        ("opens", "<think>\nHello! How?\n</think>\n\nXin chào!", "Hello! How?\n"),
        ("opens", "<think>\n\n</think>\n\nXin chào!", ""),
        ("opens", "Xin chào!", ""),
        ("opened", "Hello! How?\n</think>\n\nXin chào!", "Hello! How?\n"),
        ("opened", "\n</think>\n\nXin chào!", ""),
    ],
)
def test_every_token_is_the_one_that_was_written(thinkers: Services, model: str, text: str, reasoning: str) -> None:
    written = spelled(thinkers, model, text)
    run = write(thinkers, model, written)
    answer = answer_of(thinkers, run)
    assert (answer.reasoning, answer.content) == (reasoning, "Xin chào!")
    view = thinkers.inspector.tokens(subject_of(run))
    tokenizer = tokenizer_of(thinkers, model)
    assert [token.text for token in view.tokens[:-1]] == tokenizer.texts(written, start=True)
    assert not view.recut
    folder = thinkers.catalog.get(model).path
    assert folder is not None
    prompt = tokenizer.encode_chat([Turn("user", QUESTION)])
    expected = Reference(folder).logprobs(prompt + written)[len(prompt) - 1 :]
    chances = [math.exp(logprobs[token]) for logprobs, token in zip(expected, written, strict=False)]
    assert [token.probability for token in view.tokens[:-1]] == pytest.approx(chances, abs=1e-4)


def test_thoughts_that_cannot_be_read_back_exactly_are_admitted(thinkers: Services) -> None:
    run = write(thinkers, "opens", spelled(thinkers, "opens", "Hello! <think>\nHow?\n</think>\n\nXin chào!"))
    assert answer_of(thinkers, run).content == "Hello! Xin chào!"
    assert thinkers.inspector.tokens(subject_of(run)).recut


def test_another_version_begins_with_the_same_thoughts(thinkers: Services) -> None:
    written = spelled(thinkers, "opens", "<think>\nHello! How?\n</think>\n\nXin chào!")
    run = write(thinkers, "opens", written)
    assert thinkers.inspector.beginning(subject_of(run), len(written), ()) == tuple(written)


def test_another_cut_is_seen_and_a_stop_text_is_none(thinkers: Services) -> None:
    run = write(thinkers, "opens", spelled(thinkers, "opens", "Hello! Hello!"), stop=("!",))
    assert answer_of(thinkers, run).content == "Hello"
    assert not thinkers.inspector.tokens(subject_of(run)).recut
    halves = [*spelled(thinkers, "opens", "H"), *spelled(thinkers, "opens", "ello")]
    run = write(thinkers, "opens", halves)
    assert "".join(view.text for view in thinkers.inspector.tokens(subject_of(run)).tokens) == "Hello"
    assert thinkers.inspector.tokens(subject_of(run)).recut


def test_the_same_thoughts_in_the_tags_of_another_model() -> None:
    answer = Message("assistant", "Yes.", reasoning="hm\n")
    assert thoughts_for(answer, None, opened=False) == []
    said = {
        opened: "".join(text for text, _ in thoughts_for(answer, ("[", "]"), opened=opened)) for opened in (False, True)
    }
    assert said == {False: "[\nhm\n]\n\n", True: "hm\n]\n\n"}
    silent = Message("assistant", "Yes.")
    assert thoughts_for(silent, ("[", "]"), opened=False) == []
    assert "".join(text for text, _ in thoughts_for(silent, ("[", "]"), opened=True)) == "\n]\n\n"
