"""What a model received, token by token, and whose each token is, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from playground.chat.prompting import Built, answered_questions
from playground.chat.token_views import Kind, shown_token
from playground.domain import Language, Message, Role
from playground.engines.contract import LegibleTokenizer
from playground.text import shorten

Source = Literal["template", "system", "history", "you"]
SOURCES: tuple[Source, ...] = ("template", "system", "history", "you")

_SHOWN_OF_DROPPED = 80


@dataclass(frozen=True, slots=True)
class PromptToken:
    """One token as it is shown; `kind` as in `TokenView`."""

    text: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class PromptPiece:
    """Neighbouring tokens with one source; `role` is whose turn it is, None for the template's own."""

    source: Source
    role: Role | None
    tokens: tuple[PromptToken, ...]


@dataclass(frozen=True, slots=True)
class CutMessage:
    """A message that the model did not receive: its beginning, and why.

    "room" says that it did not fit, "stopped" that the gate or a failure ended its answer.
    """

    role: Role
    opening: str
    reason: Literal["room", "stopped"]


@dataclass(frozen=True, slots=True)
class PromptView:
    """What the model received.

    `counts` are tokens per source, `total` all of them, `context_length` how many prompt and answer may have together.
    `tokens_per_word` is measured on a text of the same meaning in each language. `changed` says that the system
    prompt, the settings or the model changed since: this is then what it would receive today.
    """

    pieces: tuple[PromptPiece, ...]
    counts: dict[Source, int]
    total: int
    context_length: int
    cut: tuple[CutMessage, ...]
    tokens_per_word: Mapping[Language, float]
    changed: bool


def prompt_view(
    built: Built,
    branch: Sequence[Message],
    tokenizer: LegibleTokenizer,
    *,
    context_length: int,
    changed: bool,
    tokens_per_word: Mapping[Language, float],
) -> PromptView:
    """The view of a prompt that was built of `branch`; `changed`: the model received another one back then.

    `tokens_per_word` is the tokenizer's, see `word_costs`.
    """
    turns = built.prompt.turns
    traced = tokenizer.trace_chat(turns)
    texts = tokenizer.texts([token for token, _ in traced])
    owned = [(turn, token, text) for (token, turn), text in zip(traced, texts, strict=True)]
    counts = dict.fromkeys(SOURCES, 0)
    pieces: list[PromptPiece] = []
    for turn, group in groupby(owned, key=lambda item: item[0]):
        shown = tuple(PromptToken(*shown_token(token, text, tokenizer)) for _, token, text in group)
        role = None if turn is None else turns[turn].role
        piece = PromptPiece(_source(turn, role, len(turns)), role, shown)
        counts[piece.source] += len(shown)
        pieces.append(piece)
    return PromptView(
        pieces=tuple(pieces),
        counts=counts,
        total=len(traced),
        context_length=context_length,
        cut=_cut(built, branch),
        tokens_per_word=tokens_per_word,
        changed=changed,
    )


def _source(turn: int | None, role: Role | None, turns: int) -> Source:
    if turn is None:
        return "template"
    if role == "system":
        return "system"
    return "you" if turn == turns - 1 else "history"


def _cut(built: Built, branch: Sequence[Message]) -> tuple[CutMessage, ...]:
    dropped = {message.id for message in built.dropped}
    seen = {message.id for exchange in answered_questions(branch[:-1]) for message in exchange}
    return tuple(
        CutMessage(
            message.role, shorten(message.content, _SHOWN_OF_DROPPED), "room" if message.id in dropped else "stopped"
        )
        for message in branch[:-1]
        if message.id in dropped or message.id not in seen
    )
