"""Cross-surprise: how probable each model finds its own answer, and the others', token by token.

A model reads an answer as if it had written it itself, in the conversation in which it was written. How surprising it
finds a token is -log2 of the probability it gives it, in bits. What it would rather have written, where that is
something else, is told as far as the gate would clear it as an answer of that model's.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from playground.arena.contract import Surprise, SurpriseView
from playground.catalog.spec import ModelSpec
from playground.chat import prompting
from playground.chat.answering import EngineSource, Preparation
from playground.chat.cases import covered_spans
from playground.chat.look_book import LookBook, legible
from playground.chat.masking import Mask, answer_mask
from playground.chat.token_views import (
    AlternativeView,
    TokenView,
    alternative_view,
    covered_places,
    masked_view,
    token_view,
)
from playground.chat.word_costs import WordCosts
from playground.domain import Failed, Language, Message, SamplingParams
from playground.engines.contract import Engine, LegibleTokenizer, Look
from playground.errors import InvalidRequest, PlaygroundError
from playground.moderation.contract import Moderator

MOST_TOKENS = 512
"""The longest stretch of an answer that is read."""
SCREENING_SECONDS = 2.0
"""How long the gate is asked about alternatives of one reading, the first one aside; further ones are not told."""
_BEFORE = 16
_WORD = re.compile(r"\w+(?:['’\-]\w+)*")


@dataclass(frozen=True, slots=True)
class Reader:
    """A model that reads answers: its row, and what it was told beside the conversation."""

    spec: ModelSpec
    params: SamplingParams
    system_prompt: str = ""


@dataclass(frozen=True, slots=True)
class _Desk:
    """A reader with its model loaded."""

    reader: Reader
    engine: Engine
    tokenizer: LegibleTokenizer


@dataclass(frozen=True, slots=True)
class _Column:
    """All answers as one model reads them, and its tokens per word."""

    readings: Sequence[Surprise]
    costs: Mapping[Language, float]


class CrossReader:
    """Reads answers with several models, one model after the other. Safe to use from many threads."""

    def __init__(self, engines: EngineSource, models: Preparation | None, moderator: Moderator) -> None:
        self._engines = engines
        self._models = models
        self._moderator = moderator
        self._looks = LookBook()
        self._costs = WordCosts()

    def read(
        self, readers: Sequence[Reader], branches: Sequence[tuple[Message, ...]], language: Language
    ) -> SurpriseView:
        """Each answer, the last message of its branch, under each model; `language` is that of the page.

        A side without an answer has no readings, and one whose model cannot read says why. Raises InvalidRequest when
        there is no answer at all.
        """
        if not any(map(_answered, branches)):
            raise InvalidRequest("The models need an answer to read first. Ask something, and wait for it.")
        columns = [self._read_all(reader, branches, language) for reader in readers]
        rows = tuple(
            tuple(column.readings[at] for column in columns) if _answered(branch) else ()
            for at, branch in enumerate(branches)
        )
        return SurpriseView(rows, tuple(column.costs for column in columns))

    def _read_all(self, reader: Reader, branches: Sequence[tuple[Message, ...]], language: Language) -> _Column:
        nothing = Surprise(reader.spec.id)
        costs: Mapping[Language, float] = {}
        try:
            spec, tokenizer = legible(self._engines, self._models, reader.spec)
            costs = self._costs.of(tokenizer)
            with self._engines.acquire(spec) as engine:
                desk = _Desk(replace(reader, spec=spec), engine, tokenizer)
                read = [self._try(desk, branch, language) if _answered(branch) else nothing for branch in branches]
                return _Column(read, costs)
        except PlaygroundError as error:
            return _Column([_unread(reader, error)] * len(branches), costs)

    def _try(self, desk: _Desk, branch: tuple[Message, ...], language: Language) -> Surprise:
        try:
            return self._read(desk, branch, language)
        except PlaygroundError as error:
            return _unread(desk.reader, error)

    def _read(self, desk: _Desk, branch: tuple[Message, ...], language: Language) -> Surprise:
        spec, tokenizer, answer = desk.reader.spec, desk.tokenizer, branch[-1]
        context = desk.engine.capabilities.context_length
        built = prompting.build(
            branch[:-1],
            spec,
            desk.reader.params,
            system_prompt=desk.reader.system_prompt,
            tokenizer=tokenizer,
            context_length=context,
        )
        tokens = tokenizer.encode(answer.content)
        left = context - len(built.prompt.token_ids) - 1 if context else MOST_TOKENS
        room = max(1, min(MOST_TOKENS, left))
        shown = tokens[:room]
        looks = self._looks.looks(desk.engine, spec, built.prompt, shown, desk.reader.params, count=1)
        texts = tokenizer.texts(shown, start=True)
        hidden = covered_places(texts, covered_spans(answer, answer.content))
        views = [
            token_view(token, text, look, tokenizer, covered=place in hidden)
            for place, (token, text, look) in enumerate(zip(shown, texts, looks, strict=False))
        ]
        mask = answer_mask(self._moderator, [message.content for message in branch[:-1]], language, spec.id)
        elsewhere = [place for place, look in enumerate(looks) if place not in hidden and _elsewhere(look)]
        rather = _rather(tokenizer, mask, shown, texts, {place: looks[place] for place in elsewhere})
        return _surprise(spec.id, views, looks, rather, whole=len(tokens) <= room)


def _answered(branch: Sequence[Message]) -> bool:
    return bool(branch) and branch[-1].role == "assistant" and bool(branch[-1].content)


def _unread(reader: Reader, error: PlaygroundError) -> Surprise:
    return Surprise(reader.spec.id, trouble=Failed(error.code, str(error)))


def _elsewhere(look: Look) -> bool:
    """Whether the model would rather have written another token."""
    return look.stands is not None and look.top[0].token_id != look.stands.token_id


def _rather(
    tokenizer: LegibleTokenizer, mask: Mask, tokens: Sequence[int], texts: Sequence[str], looks: Mapping[int, Look]
) -> dict[int, AlternativeView]:
    """The likeliest token at each of these places, as far as the gate clears it there."""
    told: dict[int, AlternativeView] = {}
    written = list(accumulate(texts, initial=""))
    until = time.monotonic() + SCREENING_SECONDS
    for place, look in looks.items():
        if told and time.monotonic() > until:
            break
        candidate, begin = look.top[0], max(0, place - _BEFORE)
        text = tokenizer.texts([*tokens[begin:place], candidate.token_id], start=begin == 0)[-1]
        clear = mask.clears(written[place], text)
        told[place] = alternative_view(candidate, text, tokenizer) if clear else masked_view(candidate)
    return told


def _surprise(
    model_id: str,
    views: Sequence[TokenView],
    looks: Sequence[Look],
    rather: Mapping[int, AlternativeView],
    *,
    whole: bool,
) -> Surprise:
    """The reading with its means; what the gate covered counts in none of them."""
    read = [(view, look.stands.logprob) for view, look in zip(views, looks, strict=False) if look.stands is not None]
    counted = [(view.text, -logprob / math.log(2)) for view, logprob in read if view.kind != "covered"]
    text = "".join(part for part, _ in counted)
    bits, words = sum(each for _, each in counted), len(_WORD.findall(text))
    return Surprise(
        model_id=model_id,
        tokens=tuple(views),
        rather=rather,
        bits_per_token=bits / len(counted) if counted else None,
        bits_per_character=bits / len(text) if text else None,
        tokens_per_word=len(counted) / words if words else None,
        whole=whole,
    )
