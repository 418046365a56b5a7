"""From a comparison that was voted on to the row that is kept: names, settings, figures and hashes, never words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict

from playground.arena.contract import Comparison, Side, SideView, Winner
from playground.arena.live import turns
from playground.arena.style import measure_style
from playground.arena.topics import categorise, question_language
from playground.catalog.spec import ModelSpec
from playground.domain import Message
from playground.library.library import Identity
from playground.storage.votes import Vote, VotedSide

Fingerprint = Callable[[str], str]


def fill_ballot(
    comparison: Comparison,
    sides: Sequence[SideView],
    models: Sequence[tuple[ModelSpec, Identity]],
    winner: Winner,
    *,
    tainted: bool,
    fingerprint: Fingerprint,
) -> Vote:
    """The vote on a comparison of two sides, the left one first; `models` are theirs, and what each is here."""
    asked = [message.content for message in sides[0].messages if message.role == "user"]
    left, right = (
        _side(side, kept, spec, identity, fingerprint)
        for side, kept, (spec, identity) in zip(sides, comparison.sides, models, strict=True)
    )
    return Vote(
        comparison_id=comparison.id,
        model_a=comparison.sides[0].model_id,
        model_b=comparison.sides[1].model_id,
        winner=winner,
        mode=comparison.mode.value,
        session=fingerprint(f"session {comparison.owner}"),
        prompt_hash=fingerprint("\n\n".join(asked)),
        tainted=tainted,
        language=question_language(asked),
        category=categorise(asked[0]),
        turns=turns(sides[0].messages),
        schedule=comparison.schedule.value,
        side_a=left,
        side_b=right,
    )


def _side(side: SideView, kept: Side, spec: ModelSpec, identity: Identity, fingerprint: Fingerprint) -> VotedSide:
    answers = [message for message in side.messages if message.role == "assistant"]
    return VotedSide(
        revision=identity.revision,
        precision=identity.precision,
        engine=identity.engine,
        params={name: value for name, value in asdict(kept.params or spec.defaults).items() if value not in (None, ())},
        conversation_hash=fingerprint(_transcript(side.messages)),
        style=asdict(measure_style(answers[-1].content)),
        tokens=sum(answer.usage.completion_tokens for answer in answers if answer.usage and side.wrote(answer)),
        position=side.position,
        system_prompt_hash=fingerprint(f"system prompt {kept.system_prompt}") if kept.system_prompt else "",
        finish_reasons=tuple(answer.finish_reason.value for answer in answers if answer.finish_reason is not None),
    )


def _transcript(messages: Sequence[Message]) -> str:
    return "\n\n".join(f"{message.role}: {message.content}" for message in messages)
