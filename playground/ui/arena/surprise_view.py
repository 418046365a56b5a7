"""Cross-surprise as plain data: each answer as each model reads it, with its numbers written out. No Gradio here."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from playground.arena.contract import Surprise, SurpriseView
from playground.chat.token_views import AlternativeView, TokenView
from playground.domain import Language
from playground.ui.arena.side_view import SideCard
from playground.ui.inside_view import LEVELS, percent
from playground.ui.notice_view import failure_sentence
from playground.ui.words import LANGUAGES, Words

LEAST_BITS = 0.02
"""Bits per character from which on how many times as surprising one reading is as another means something."""


@dataclass(frozen=True, slots=True)
class Rather:
    """What a model would rather have written at some place; `text` is empty for one that the gate masks."""

    text: str
    kind: str
    percent: str
    masked: bool


@dataclass(frozen=True, slots=True)
class ReadToken:
    """A token as a model reads it. `level` 0 (expected) to 4 (a surprise) is its tint, None without a probability."""

    text: str
    kind: str
    level: int | None
    percent: str
    bits: str
    rather: Rather | None


@dataclass(frozen=True, slots=True)
class Reading:
    """An answer as the model of one side reads it; `own`: the one that wrote it. `figures` are (label, value, hint).

    `parting` is the first place where the model would have gone elsewhere, `said` tells of it in a sentence. `trouble`
    says why there is no reading.
    """

    letter: str
    name: str
    own: bool
    tokens: tuple[ReadToken, ...] = ()
    figures: tuple[tuple[str, str, str], ...] = ()
    parting: int | None = None
    said: tuple[str, ...] = ()
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class ReadAnswer:
    """The newest answer of a side and all readings of it; none for a side that has no answer."""

    letter: str
    name: str
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class WordCost:
    """What a word costs with a side's tokenizer, in the order of `LANGUAGES`; empty for one that is not shown."""

    letter: str
    name: str
    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Surprises:
    """All of it; `languages` are the names over the columns of `costs`."""

    answers: tuple[ReadAnswer, ...]
    languages: tuple[str, ...]
    costs: tuple[WordCost, ...]


def surprises(view: SurpriseView, cards: Sequence[SideCard], words: Words) -> Surprises:
    """What the page draws; `cards` are those of the sides."""
    answers = tuple(
        ReadAnswer(
            card.letter,
            card.name,
            tuple(
                _reading(read, row[card.position], reader=reader, author=card, words=words)
                for read, reader in zip(row, cards, strict=False)
            ),
        )
        for row, card in zip(view.readings, cards, strict=True)
    )
    costs = tuple(_cost(card, cost, words) for card, cost in zip(cards, view.tokens_per_word, strict=True))
    return Surprises(answers, tuple(LANGUAGES.values()), costs)


def _cost(card: SideCard, cost: Mapping[Language, float], words: Words) -> WordCost:
    return WordCost(card.letter, card.name, tuple(words.number(cost[code], 2) for code in LANGUAGES if code in cost))


def _reading(read: Surprise, own: Surprise, *, reader: SideCard, author: SideCard, words: Words) -> Reading:
    is_own = reader.position == author.position
    if read.trouble is not None:
        sentence = failure_sentence(read.trouble.code, read.trouble.message, words)
        return Reading(reader.letter, reader.name, is_own, trouble=sentence)
    said = (_parting(read, reader, words, own=is_own), *_compared(read, own, reader, author, words))
    said = (*said, *_limits(read, reader, words))
    return Reading(
        letter=reader.letter,
        name=reader.name,
        own=is_own,
        tokens=tuple(_token(token, read.rather.get(place), words) for place, token in enumerate(read.tokens)),
        figures=_figures(read, words),
        parting=read.parting,
        said=said,
    )


def _limits(read: Surprise, reader: SideCard, words: Words) -> Iterator[str]:
    """What the reader did not see as it was written."""
    if read.thoughtless:
        yield words("surprise.thoughtless", reader=reader.name)
    if any(token.kind == "covered" for token in read.tokens):
        yield words("surprise.covered")
    if not read.rather_whole:
        yield words("surprise.rather_cut", place=words.number(max(read.rather, default=-1) + 1))
    if not read.whole:
        yield words("surprise.cut", count=words.number(len(read.tokens)))


def _figures(read: Surprise, words: Words) -> tuple[tuple[str, str, str], ...]:
    def bits(value: float | None) -> str | None:
        return None if value is None else words("inside.bits", value=words.number(value, 2))

    per_word = None if read.tokens_per_word is None else words.number(read.tokens_per_word, 2)
    values = (("per_character", bits(read.bits_per_character)), ("per_token", bits(read.bits_per_token)))
    return tuple(
        (words(f"surprise.{name}"), value, words(f"surprise.{name}_hint"))
        for name, value in (*values, ("per_word", per_word))
        if value is not None
    )


def _parting(read: Surprise, reader: SideCard, words: Words, *, own: bool) -> str:
    kind = "own" if own else "other"
    if read.parting is None:
        return words(f"surprise.never_{kind}", reader=reader.name)
    rather, token = read.rather[read.parting], read.tokens[read.parting]
    ends = rather.kind == "control"
    end = "masked" if rather.masked else "end" if ends else "token"
    return words(
        f"surprise.parting_{kind}",
        reader=reader.name,
        place=words.number(read.parting + 1),
        token=token.text.strip() or "␣",
        percent=percent(token.probability or 0.0, words),
        rather=words(f"surprise.rather_{end}", token=rather.text.strip() or "␣"),
        chance=percent(rather.probability, words),
    )


def _compared(read: Surprise, own: Surprise, reader: SideCard, author: SideCard, words: Words) -> tuple[str, ...]:
    """How many times as surprising the reader finds the answer as its author does, where that means something."""
    theirs, mine = read.bits_per_character, own.bits_per_character
    if reader.position == author.position or theirs is None or mine is None or mine < LEAST_BITS:
        return ()
    ratio = words.number(theirs / mine, 1)
    return (words("surprise.compared", reader=reader.name, author=author.name, ratio=ratio),)


def _token(token: TokenView, rather: AlternativeView | None, words: Words) -> ReadToken:
    if token.probability is None:
        return ReadToken(token.text, token.kind, None, "", "", None)
    bits = -math.log2(max(token.probability, 1e-300))
    return ReadToken(
        text=token.text,
        kind=token.kind,
        level=next((at for at, least in enumerate(LEVELS) if token.probability >= least), len(LEVELS)),
        percent=percent(token.probability, words),
        bits=words("inside.bits", value=words.number(abs(bits), 1)),
        rather=None if rather is None else _rather(rather, words),
    )


def _rather(found: AlternativeView, words: Words) -> Rather:
    return Rather(found.text, found.kind, percent(found.probability, words), found.masked)
