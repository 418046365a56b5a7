"""Asking an engine and looking at what it answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from playground.domain import SamplingParams
from playground.engines.contract import Delta, Prompt, TokenLogprob
from playground.engines.detokenizer import Detokenizer, TokenTable
from playground.engines.local_engine import LocalEngine
from tests.engines.conftest import Reference, make_tokenizer

TABLE = TokenTable(make_tokenizer())
NewEngine = Callable[..., LocalEngine]


def prompt_of(length: int, seed: int = 0) -> list[int]:
    return [int(token) for token in np.random.default_rng([seed, length]).integers(3, 380, size=length)]


def text_of(tokens: list[int]) -> str:
    detokenizer = Detokenizer(TABLE)
    return detokenizer.feed(tokens) + detokenizer.finish()


@dataclass
class Answer:
    deltas: list[Delta]

    @property
    def text(self) -> str:
        return "".join(delta.text for delta in self.deltas)

    @property
    def logprobs(self) -> list[TokenLogprob]:
        return [item for delta in self.deltas for item in delta.logprobs]

    @property
    def tokens(self) -> list[int]:
        return [item.token_id for item in self.logprobs]

    @property
    def last(self) -> Delta:
        return self.deltas[-1]

    @property
    def cached(self) -> int:
        assert self.last.usage is not None
        return self.last.usage.cached_tokens


def ask(engine: LocalEngine, prompt: list[int], **params: Any) -> Answer:
    settings = SamplingParams(**({"temperature": 0.0, "max_tokens": 24} | params))
    return Answer(list(engine.generate(Prompt((), tuple(prompt)), settings)))


def check(reference: Reference, answer: Answer, prompt: list[int], count: int = 24) -> None:
    expected = reference.greedy(prompt, count)
    assert answer.text == text_of(expected)
    if answer.logprobs:
        assert answer.tokens == expected
    assert answer.last.usage is not None
    assert answer.last.usage.prompt_tokens == len(prompt)
    assert answer.last.usage.completion_tokens == len(expected)
