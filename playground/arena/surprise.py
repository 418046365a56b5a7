"""Cross-surprise: how probable each model finds its own answer, and the others', token by token.

A model reads an answer as if it had written it itself, in the conversation in which it was written. How surprising it
finds a token is -log2 of the probability it gives it, in bits. What it would rather have written, where that is
something else, is told as far as the gate would clear it as an answer of that model's. A model on a server reads its
own answer only, as the server told it while it wrote.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from playground.arena.contract import Surprise, SurpriseView
from playground.arena.readings import surprise_of, told_surprise
from playground.catalog.spec import ModelSpec
from playground.chat import prompting
from playground.chat.answering import EngineSource, Preparation
from playground.chat.cases import covered_spans
from playground.chat.look_book import LookBook, legible
from playground.chat.masking import Mask, answer_mask
from playground.chat.thoughts import Tags, opened_by, thoughts_for, thoughts_of
from playground.chat.token_views import (
    AlternativeView,
    alternative_view,
    covered_places,
    masked_view,
    token_view,
)
from playground.chat.trail_book import TrailBook
from playground.chat.word_costs import WordCosts
from playground.domain import Failed, Language, Message, SamplingParams
from playground.engines.contract import Engine, LegibleTokenizer, Look
from playground.errors import InvalidRequest, PlaygroundError
from playground.moderation.contract import Moderator

MOST_TOKENS = 512
"""The longest stretch of an answer that is read."""
_BEFORE = 16


@dataclass(frozen=True, slots=True)
class Reader:
    """A model that reads answers: its row, the conversation it wrote its own in, and what it was told beside that."""

    spec: ModelSpec
    params: SamplingParams
    system_prompt: str = ""
    conversation_id: str = ""


@dataclass(frozen=True, slots=True)
class _Desk:
    """A reader with its model loaded."""

    reader: Reader
    engine: Engine
    tokenizer: LegibleTokenizer


@dataclass(frozen=True, slots=True)
class _Text:
    """What is read: an answer after its conversation, and the side that wrote it."""

    branch: tuple[Message, ...]
    author: Reader

    @property
    def answer(self) -> Message:
        return self.branch[-1]

    @property
    def asked(self) -> list[str]:
        return [message.content for message in self.branch[:-1]]


@dataclass(frozen=True, slots=True)
class _Column:
    """All answers as one model reads them, and its tokens per word."""

    readings: Sequence[Surprise]
    costs: Mapping[Language, float]


class CrossReader:
    """Reads answers with several models, one model after the other. Safe to use from many threads.

    `trails` has what servers told about their answers, `looks` keeps what was read.
    """

    def __init__(
        self,
        engines: EngineSource,
        models: Preparation | None,
        moderator: Moderator,
        *,
        trails: TrailBook,
        looks: LookBook,
    ) -> None:
        self._engines = engines
        self._models = models
        self._moderator = moderator
        self._trails = trails
        self._looks = looks
        self._costs = WordCosts()

    def read(
        self, readers: Sequence[Reader], branches: Sequence[tuple[Message, ...]], language: Language
    ) -> SurpriseView:
        """Each answer, the last message of the branch of each reader, under each model; `language` is the page's.

        A side without an answer has no readings, and one whose model cannot read says why. Raises InvalidRequest when
        there is no answer at all.
        """
        if not any(map(_answered, branches)):
            raise InvalidRequest("The models need an answer to read first. Ask something, and wait for it.")
        texts = [
            _Text(branch, author) if _answered(branch) else None
            for branch, author in zip(branches, readers, strict=True)
        ]
        columns = [self._read_all(reader, texts, language) for reader in readers]
        rows = tuple(
            tuple(column.readings[at] for column in columns) if text is not None else ()
            for at, text in enumerate(texts)
        )
        return SurpriseView(rows, tuple(column.costs for column in columns))

    def _read_all(self, reader: Reader, texts: Sequence[_Text | None], language: Language) -> _Column:
        nothing = Surprise(reader.spec.id)
        costs: Mapping[Language, float] = {}
        try:
            spec, tokenizer = legible(self._engines, self._models, reader.spec)
            costs = self._costs.of(tokenizer)
            with self._engines.acquire(spec) as engine:
                desk = _Desk(replace(reader, spec=spec), engine, tokenizer)
                read = [nothing if text is None else self._try(desk, text, language) for text in texts]
                return _Column(read, costs)
        except PlaygroundError as error:
            unread = [Surprise(reader.spec.id, trouble=Failed(error.code, str(error)))] * len(texts)
            return _Column(self._told(reader, texts, unread, language), costs)

    def _told(
        self, reader: Reader, texts: Sequence[_Text | None], unread: Sequence[Surprise], language: Language
    ) -> list[Surprise]:
        """The readings of a model that cannot read: of its own answer what its server told of it, if that is kept."""
        readings = list(unread)
        for at, text in enumerate(texts):
            if text is None or text.author.conversation_id != reader.conversation_id:
                continue
            trail = self._trails.find(text.answer.id, text.answer.content)
            if trail is not None and trail.tokens:
                readings[at] = told_surprise(text.answer, trail, self._mask(reader, text, language), reader.spec.id)
        return readings

    def _try(self, desk: _Desk, text: _Text, language: Language) -> Surprise:
        try:
            return self._read(desk, text, language)
        except PlaygroundError as error:
            return Surprise(desk.reader.spec.id, trouble=Failed(error.code, str(error)))

    def _read(self, desk: _Desk, text: _Text, language: Language) -> Surprise:
        reader, tokenizer, answer = desk.reader, desk.tokenizer, text.answer
        context = desk.engine.capabilities.context_length
        built = prompting.build(
            text.branch[:-1],
            reader.spec,
            reader.params,
            system_prompt=reader.system_prompt,
            tokenizer=tokenizer,
            context_length=context,
        )
        own = reader.conversation_id == text.author.conversation_id
        thoughts, tokens = _encoded(tokenizer, answer, reader.spec.reasoning_tags, built.prompt.token_ids, own=own)
        prompt = replace(built.prompt, token_ids=(*built.prompt.token_ids, *thoughts))
        left = context - len(prompt.token_ids) - 1 if context else MOST_TOKENS
        room = max(1, min(MOST_TOKENS, left))
        shown = tokens[:room]
        looks = self._looks.looks(
            desk.engine,
            reader.spec,
            prompt,
            shown,
            reader.params,
            count=1,
            conversation_id=text.author.conversation_id,
        )
        texts = tokenizer.texts(shown, start=not thoughts)
        hidden = covered_places(texts, covered_spans(answer, answer.content))
        views = [
            token_view(token, piece, look, tokenizer, covered=place in hidden)
            for place, (token, piece, look) in enumerate(zip(shown, texts, looks, strict=False))
        ]
        elsewhere = [place for place, look in enumerate(looks) if place not in hidden and _elsewhere(look)]
        mask = self._mask(reader, text, language)
        rather = _rather(tokenizer, mask, shown, texts, {place: looks[place] for place in elsewhere})
        read = surprise_of(
            reader.spec.id,
            views,
            rather,
            whole=len(tokens) <= room,
            thoughtless=bool(answer.reasoning) and not thoughts,
        )
        return replace(read, rather_whole=len(rather) == len(elsewhere))

    def _mask(self, reader: Reader, text: _Text, language: Language) -> Mask:
        return answer_mask(self._moderator, text.asked, language, reader.spec.id)


def _encoded(
    tokenizer: LegibleTokenizer, answer: Message, tags: Tags | None, prompt: Sequence[int], *, own: bool
) -> tuple[list[int], list[int]]:
    """The thoughts before an answer and the answer, in the tokens of a model that writes both after `prompt`."""
    pieces = thoughts_of(answer, tags) if own else []
    pieces = pieces or thoughts_for(answer, tags, opened=opened_by(tokenizer, prompt, tags))
    thoughts = tokenizer.encode_pieces(pieces) if pieces else []
    both = tokenizer.encode_pieces([*pieces, (answer.content, False)])
    if both[: len(thoughts)] == thoughts:
        return thoughts, both[len(thoughts) :]
    return thoughts, tokenizer.encode(answer.content)


def _answered(branch: Sequence[Message]) -> bool:
    return bool(branch) and branch[-1].role == "assistant" and bool(branch[-1].content)


def _elsewhere(look: Look) -> bool:
    """Whether the model would rather have written another token."""
    return look.stands is not None and look.top[0].token_id != look.stands.token_id


def _rather(
    tokenizer: LegibleTokenizer, mask: Mask, tokens: Sequence[int], texts: Sequence[str], looks: Mapping[int, Look]
) -> dict[int, AlternativeView]:
    """The likeliest token at each of these places, as far as the gate clears it there; none once its time is spent."""
    told: dict[int, AlternativeView] = {}
    written = list(accumulate(texts, initial=""))
    for place, look in looks.items():
        if mask.spent:
            break
        candidate, begin = look.top[0], max(0, place - _BEFORE)
        text = tokenizer.texts([*tokens[begin:place], candidate.token_id], start=begin == 0)[-1]
        clear = mask.clears(written[place], text)
        told[place] = alternative_view(candidate, text, tokenizer) if clear else masked_view(candidate)
    return told
