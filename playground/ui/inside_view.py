"""A look inside an answer as plain data: what the panel draws, with its numbers written out. No Gradio here."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace

from playground.chat.inspection import Subject
from playground.chat.prompt_views import SOURCES, PromptView
from playground.chat.service import ChatService
from playground.chat.token_views import AlternativeView, AnswerView, PlaceView, StepView, TokenView
from playground.domain import ChatRequest, SamplingParams
from playground.errors import InvalidRequest
from playground.ui.chat_view import ChatView, find, refreshed
from playground.ui.words import Words

LEVELS = (0.9, 0.6, 0.3, 0.1)
"""Probabilities from which a token counts as certain, likely, open and unlikely; below the last it is a surprise."""
STEP_FIELDS = ("temperature", "top_k", "top_p", "min_p", "seed")
_SEEDS = 10_000


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is drawn. `level` 0 (certain) to 4 (a surprise) is its tint, None without a probability."""

    text: str
    kind: str
    level: int | None
    percent: str
    bits: str


@dataclass(frozen=True, slots=True)
class Alternative:
    """A candidate as it is drawn: chances as texts and as parts of the bar, 0 to 1. `id` None: the gate masks it."""

    text: str
    kind: str
    id: int | None
    percent: str
    before: float
    share: str
    after: float
    stood: bool = False
    drawn: bool = False


def subject(view: ChatView, words: Words, message_id: str) -> Subject:
    """Whom and what a look is about. Raises InvalidRequest when there is no conversation yet."""
    if view.conversation_id is None:
        raise InvalidRequest("There is no conversation yet. Write a message first.")
    return Subject(view.owner, view.conversation_id, message_id, words.language)


def tokens_data(view: AnswerView, words: Words) -> dict[str, object]:
    """The answer's tokens."""
    return {"tokens": [_token(token, words) for token in view.tokens], "recut": view.recut, "told": view.told}


def place_data(view: PlaceView, words: Words) -> dict[str, object]:
    """One place of the answer, looked at closely."""
    token = _token(view.token, words)
    rows = [_alternative(one, words) for one in view.alternatives]
    stands = (token.text, token.kind, token.percent)
    for at, row in enumerate(rows):
        if row.id is not None and (row.text, row.kind, row.percent) == stands:
            rows[at] = replace(row, stood=True)
            break  # one token stands there, whatever others look like it
    return {"place": view.place, "token": token, "alternatives": rows}


def step_data(view: StepView, params: SamplingParams, words: Words) -> dict[str, object]:
    """The next token before it is chosen, and the settings that shape it."""
    rows = [_alternative(one, words) for one in view.candidates]
    drawn = None if view.drawn is None else replace(_alternative(view.drawn, words), drawn=True)
    if drawn is not None and view.drawn in view.candidates:
        at = view.candidates.index(view.drawn)
        rows[at] = drawn
    elif drawn is not None:
        rows.append(drawn)
    return {
        "text": view.text,
        "tokens": view.tokens,
        "candidates": rows,
        "drawn": drawn,
        "bits": _bits(view.entropy, words),
        "kept": words.number(view.kept),
        "ended": view.ended,
        "stopped": view.stopped,
        "params": {name: getattr(params, name) for name in STEP_FIELDS},
        "penalty": _penalty(params, words),
    }


def prompt_data(view: PromptView, words: Words) -> dict[str, object]:
    """What the model received."""
    context = max(view.context_length, 1)
    return {
        "pieces": [
            {"source": piece.source, "role": piece.role, "tokens": [[token.text, token.kind] for token in piece.tokens]}
            for piece in view.pieces
        ],
        "counts": [
            {"source": source, "count": words.number(view.counts[source]), "part": view.counts[source] / context}
            for source in SOURCES
            if view.counts[source]
        ],
        "total": words.number(view.total),
        "context": words.number(view.context_length),
        "percent": percent(view.total / context, words),
        "cut": [{"role": cut.role, "opening": cut.opening, "reason": cut.reason} for cut in view.cut],
        "per_word": {language: words.number(ratio, 2) for language, ratio in view.tokens_per_word.items()},
        "changed": view.changed,
    }


def step_params(chosen: Mapping[str, object], base: SamplingParams, read: SamplingParams) -> SamplingParams:
    """The settings of a step: `read` from the page, or those of the conversation when it sent none.

    There is always a seed, so that the same step gives the same token.
    """
    params = read if chosen else base
    return params if params.seed is not None else replace(params, seed=secrets.randbelow(_SEEDS))


def branched(
    view: ChatView, service: ChatService, words: Words, message_id: str, beginning: tuple[int, ...]
) -> ChatView:
    """Have another version of an answer written that begins with these tokens, by the model that wrote the answer."""
    answer = find(view, message_id)
    service.start(
        ChatRequest(
            owner=view.owner,
            model_id=answer.model_id or view.model_id,
            text=None,
            conversation_id=view.conversation_id,
            parent_id=answer.parent_id,
            system_prompt=view.system_prompt,
            params=view.params,
            language=words.language,
            beginning=beginning,
        )
    )
    return refreshed(replace(view, notice=None), service)


def percent(value: float, words: Words) -> str:
    """A probability as people read it: 87 %, 3.4 %, <0.1 %."""
    if value <= 0:
        return "0%"
    if value < 0.001:
        return f"<{words.number(0.1, 1)}%"
    if value >= 0.99995:
        return "100%"
    digits = 0 if 0.0995 <= value < 0.985 else 1
    return f"{words.number(100 * min(value, 0.999), digits)}%"


def _token(view: TokenView, words: Words) -> Token:
    bits = "" if view.entropy is None else _bits(view.entropy, words)
    if view.probability is None:
        return Token(view.text, view.kind, None, "", bits)
    level = next((at for at, least in enumerate(LEVELS) if view.probability >= least), len(LEVELS))
    return Token(view.text, view.kind, level, percent(view.probability, words), bits)


def _alternative(view: AlternativeView, words: Words) -> Alternative:
    return Alternative(
        text=view.text,
        kind=view.kind,
        id=view.token_id,
        percent=percent(view.probability, words),
        before=view.probability,
        share=percent(view.share, words),
        after=view.share,
    )


def _penalty(params: SamplingParams, words: Words) -> str:
    """What shapes the shares beside the settings of a step; nothing where it changes nothing."""
    if params.repetition_penalty == 1.0:
        return ""
    return words("inside.penalty", value=words.number(params.repetition_penalty, 2))


def _bits(entropy: float, words: Words) -> str:
    return words("inside.bits", value=words.number(abs(entropy), 1))
