"""What a comparison looks like before it is revealed: nothing in it tells which model answers where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from playground.arena.contract import Comparison, Side, SideView
from playground.arena.masking import mask
from playground.arena.thoughts import without_thoughts
from playground.domain import (
    Blocked,
    Failed,
    Finished,
    FinishReason,
    Loading,
    Message,
    Stage,
    Verdict,
)
from playground.errors import EngineError

_SENTENCE = "This side could not answer. Ask again, or start another battle."


def cover(side: SideView, names: frozenset[str]) -> SideView:
    """A side without names, thoughts and figures; its newest answer is whole as far as it is released."""
    shown: list[Message] = []
    for number, message in enumerate(side.messages):
        if message.role == "user":
            shown.append(replace(message, model_id=None, verdicts=_blank_all(message.verdicts)))
            continue
        complete = not (side.running and number == len(side.messages) - 1)
        shown.append(_anonymous(message, (_masked_whole if complete else _masked_part)(message.content, names)))
    return SideView(side.position, "", tuple(shown), side.running, None, _blank_end(side.end))


def covered_length(side: SideView) -> int:
    """Characters of the newest answer."""
    return len(side.messages[-1].content) if side.messages else 0


def uncover_in_step(sides: Sequence[SideView], shown: int, *, settled: bool) -> tuple[SideView, ...]:
    """The sides cut to the common pace. Until they are `settled`, all seem to be writing, and none has ended."""
    if settled:
        return tuple(sides)
    stage = Loading(Stage.LOADING) if shown == 0 else None
    return tuple(
        replace(side, messages=_cut(side.messages, shown), running=True, stage=stage, end=None) for side in sides
    )


def cover_comparison(comparison: Comparison) -> Comparison:
    """A comparison whose sides are numbers only."""
    sides = tuple(Side(position=side.position, conversation_id="", model_id="") for side in comparison.sides)
    return replace(comparison, sides=sides)


@lru_cache(maxsize=256)
def _masked_whole(text: str, names: frozenset[str]) -> str:
    return mask(without_thoughts(text, complete=True), names, complete=True)


def _masked_part(text: str, names: frozenset[str]) -> str:
    return mask(without_thoughts(text, complete=False), names, complete=False)


def _cut(messages: tuple[Message, ...], shown: int) -> tuple[Message, ...]:
    if not messages or messages[-1].role != "assistant":
        return messages
    last = messages[-1]
    return (*messages[:-1], replace(last, content=last.content[:shown], finish_reason=None, verdicts=(), error=None))


def _anonymous(message: Message, text: str) -> Message:
    return Message(
        role=message.role,
        content=text,
        id=message.id,
        parent_id=message.parent_id,
        created_at=message.created_at,
        finish_reason=message.finish_reason and _told_reason(message.finish_reason),
        verdicts=_blank_all(message.verdicts),
        error=EngineError.code if message.error else None,
    )


def _blank_all(verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    return tuple(_blank(verdict) for verdict in verdicts)


def _blank(verdict: Verdict) -> Verdict:
    """A verdict without what a policy may say of one model only, and without times and lengths."""
    rulings = tuple(replace(ruling, threshold=0.0, shadow=None) for ruling in verdict.rulings)
    return replace(verdict, rulings=rulings, elapsed_ms=0.0, text_hash="", text_length=0, degraded=())


def _told_reason(reason: FinishReason) -> FinishReason:
    """An answer that was cut, or stopped with the other, has simply ended: else the slow or wordy one would be told."""
    return FinishReason.STOP if reason in (FinishReason.LENGTH, FinishReason.CANCELLED) else reason


def _blank_end(end: Blocked | Finished | Failed | None) -> Blocked | Finished | Failed | None:
    match end:
        case Blocked(verdict):
            return Blocked(_blank(verdict))
        case Finished(reason):
            return Finished(_told_reason(reason))
        case Failed():
            return Failed(EngineError.code, _SENTENCE)
        case _:
            return None
