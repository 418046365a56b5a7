"""Looks that were taken: once for the same tokens of the same model, and gone with the conversation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from playground.catalog.spec import ModelSpec
from playground.chat.look_book import LookBook
from playground.domain import SamplingParams
from playground.engines.contract import Look, Prompt
from tests import oracle
from tests.engines.conftest import make_spec

SPEC = make_spec("onnx", Path("one"))


class Counting(oracle.Oracle):
    """An oracle that counts how often it is asked."""

    asked = 0

    def look(self, prompt: Prompt, params: SamplingParams, *, first: int, count: int) -> list[Look]:
        self.asked += 1
        return super().look(prompt, params, first=first, count=count)


@pytest.fixture
def engine() -> Counting:
    return Counting(["Good"], ["lovely"], oracle.make_tokenizer(["lovely"]))


def look(book: LookBook, engine: Counting, spec: ModelSpec = SPEC, conversation_id: str = "c") -> None:
    book.looks(engine, spec, Prompt((), (1, 2)), (3,), SamplingParams(), count=2, conversation_id=conversation_id)


def test_the_same_is_read_once_and_another_form_of_the_model_anew(engine: Counting) -> None:
    book = LookBook()
    look(book, engine)
    look(book, engine)
    assert engine.asked == 1
    for changed in (replace(SPEC, path=Path("two")), replace(SPEC, precision="int4"), replace(SPEC, engine="torch")):
        look(book, engine, changed)
    assert engine.asked == 4


def test_a_conversation_that_was_put_away_leaves_nothing(engine: Counting) -> None:
    book = LookBook()
    look(book, engine, conversation_id="gone")
    look(book, engine, conversation_id="stays")
    book.forget("gone")
    look(book, engine, conversation_id="stays")
    assert engine.asked == 2
    look(book, engine, conversation_id="gone")
    assert engine.asked == 3
