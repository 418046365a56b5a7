"""What a moved threshold would change, in words. No Gradio here."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from playground.domain import Action, Direction
from playground.moderation.policy import Step
from playground.review.replay import Change, Replay
from playground.ui.words import Words

ACTIONS = (Action.WARN, Action.REDACT, Action.BLOCK)


@dataclass(frozen=True, slots=True)
class ReplayView:
    """`rule` is what the policy file would say; `rows` are (time, before, after, score, language, model, receipt)."""

    summary: str
    turns: tuple[str, ...]
    note: str
    rule: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def replay_view(result: Replay, direction: Direction, category: str, threshold: float, words: Words) -> ReplayView:
    """The outcome of a replay."""
    counts = {"changed": words.number(result.changed), "looked": words.number(result.looked)}
    low = words("workbench.replay_floor", floor=words.number(result.floor, 2)) if threshold < result.floor else ""
    heads = ("when", "before", "after")
    facts = ("score", "language", "model", "receipt")
    return ReplayView(
        summary=words("workbench.replay_none") if not result.looked else words("workbench.replay_summary", **counts),
        turns=tuple(
            words(
                "workbench.replay_turn", count=words.number(count), before=_did(before, words), after=_did(after, words)
            )
            for (before, after), count in sorted(result.turns.items())
        ),
        note=low,
        rule=rule_text(direction, category, result.steps),
        head=(*(words(f"workbench.replay_{head}") for head in heads), *(words(f"fact.{fact}") for fact in facts)),
        rows=tuple(_row(change, words) for change in result.changes),
    )


def rule_text(direction: Direction, category: str, steps: Iterable[Step]) -> str:
    """The rule as a policy file says it."""
    parts = [
        f"{{ action = {json.dumps(step.action.value)}, threshold = {step.threshold:g}"
        + (", shadow = true }" if step.shadow else " }")
        for step in steps
    ]
    value = parts[0] if len(parts) == 1 else f"[{', '.join(parts)}]"
    return f"[{direction.value}]\n{category} = {value}"


def _did(action: Action, words: Words) -> str:
    return words(f"workbench.did_{action.value}").lower()


def _row(change: Change, words: Words) -> tuple[str, ...]:
    return (
        change.created_at.isoformat(),
        _did(change.before, words),
        _did(change.after, words),
        words.number(change.score, 2),
        change.language,
        change.model_id or "–",
        change.verdict_id[:8],
    )
