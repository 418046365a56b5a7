"""From a comparison that was voted on to the row that is kept: names, settings, figures and hashes, never words."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict

from playground.arena.contract import Comparison, SideView, Winner
from playground.arena.live import turns
from playground.arena.style import measure_style
from playground.catalog.spec import ModelSpec
from playground.domain import Message, SamplingParams
from playground.moderation.redaction import guess_language
from playground.storage.votes import Vote, VotedSide

Fingerprint = Callable[[str], str]
_CODE = re.compile(
    r"```|\b(?:python|javascript|typescript|java|sql|html|css|bash|regex|def|function|class|code|lập trình|mã nguồn)\b|"
    r"[A-Za-z_]\w*\([^()\n]*\)|[;{}]\s*$",
    re.IGNORECASE | re.MULTILINE,
)
_MATHS = re.compile(
    r"\d\s*[-+*/^=×÷]\s*\d|\$[^$]+\$|"
    r"\b(?:solve|equation|calculate|integral|derivative|percent|phương trình|tính|giải)\b",
    re.IGNORECASE,
)


def categorise(question: str) -> str:
    """What kind of question it is, by signs on its surface: "code", "maths" or "general"."""
    return "code" if _CODE.search(question) else "maths" if _MATHS.search(question) else "general"


def fill_ballot(
    comparison: Comparison,
    sides: Sequence[SideView],
    specs: Sequence[ModelSpec],
    winner: Winner,
    *,
    tainted: bool,
    fingerprint: Fingerprint,
) -> Vote:
    """The vote on a comparison of two sides, the left one first; `specs` are their models."""
    asked = [message.content for message in sides[0].messages if message.role == "user"]
    left, right = (
        _side(side, spec, kept.params, fingerprint)
        for side, spec, kept in zip(sides, specs, comparison.sides, strict=True)
    )
    return Vote(
        comparison_id=comparison.id,
        model_a=specs[0].id,
        model_b=specs[1].id,
        winner=winner,
        mode=comparison.mode.value,
        session=fingerprint(f"session {comparison.owner}"),
        prompt_hash=fingerprint("\n\n".join(asked)),
        tainted=tainted,
        language=guess_language(asked[-1], comparison.language),
        category=categorise(asked[0]),
        turns=turns(sides[0].messages),
        side_a=left,
        side_b=right,
    )


def _side(side: SideView, spec: ModelSpec, params: SamplingParams | None, fingerprint: Fingerprint) -> VotedSide:
    answers = [message for message in side.messages if message.role == "assistant"]
    return VotedSide(
        revision=spec.revision,
        precision=spec.precision,
        engine=spec.engine,
        params={name: value for name, value in asdict(params or spec.defaults).items() if value not in (None, ())},
        conversation_hash=fingerprint(_transcript(side.messages)),
        style=asdict(measure_style(answers[-1].content)),
        tokens=sum(answer.usage.completion_tokens for answer in answers if answer.usage and side.wrote(answer)),
        position=side.position,
    )


def _transcript(messages: Sequence[Message]) -> str:
    return "\n\n".join(f"{message.role}: {message.content}" for message in messages)
