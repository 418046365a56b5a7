"""What if a threshold were elsewhere: the stored decisions, ruled again under a policy with one step moved."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from playground.domain import Action, Direction
from playground.errors import InvalidRequest
from playground.moderation.policy import Policy, Step
from playground.moderation.screening import SEVERITY, strictest
from playground.storage.decisions import Decision

MOST_LISTED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One decision that would be another. `score` is the highest of the category in question."""

    verdict_id: str
    created_at: datetime
    before: Action
    after: Action
    score: float
    language: str
    model_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """`looked` decisions had a finding of the category in that direction; `changes` are the newest that would differ.

    `steps` is the rule with the step moved, `was` the rule as it is. Scores below `floor` are not kept, so lowering a
    threshold below it shows less than would happen.
    """

    looked: int
    changed: int
    turns: Mapping[tuple[Action, Action], int]
    changes: tuple[Change, ...]
    was: tuple[Step, ...]
    steps: tuple[Step, ...]
    floor: float


def replay(
    decisions: Sequence[Decision],
    policy: Policy,
    *,
    direction: Direction,
    category: str,
    action: Action,
    threshold: float,
) -> Replay:
    """Rule again with `action` taken from `threshold` on. Rules of a language or model of its own stay as they are.

    Raises InvalidRequest for an unknown category or a threshold outside 0 to 1.
    """
    if category not in policy.rules[direction]:
        raise InvalidRequest(f"Unknown category {category!r}. There are: {', '.join(policy.rules[direction])}.")
    if not 0 <= threshold <= 1:
        raise InvalidRequest(f"threshold is {threshold!r}; it must be a number from 0 to 1.")
    was = policy.rules[direction][category]
    steps = move_step(was, action, threshold)
    moved = replace(policy, rules={**policy.rules, direction: {**policy.rules[direction], category: steps}})
    verdicts: dict[str, list[Decision]] = defaultdict(list)
    for decision in decisions:
        if decision.direction is direction and not decision.unavailable:
            verdicts[decision.verdict_id].append(decision)
    concerned = [rows for rows in verdicts.values() if any(_category(row) == category for row in rows)]
    changes = [change for rows in concerned if (change := _change(rows, moved, category)) is not None]
    changes.sort(key=lambda change: change.created_at, reverse=True)
    return Replay(
        looked=len(concerned),
        changed=len(changes),
        turns=Counter((change.before, change.after) for change in changes),
        changes=tuple(changes[:MOST_LISTED]),
        was=was,
        steps=steps,
        floor=min((step.threshold for step in was if step.action is not Action.ALLOW), default=1.0),
    )


def move_step(steps: Sequence[Step], action: Action, threshold: float) -> tuple[Step, ...]:
    """The rule with `action` taken from `threshold` on: milder steps above it and stricter ones below it give way."""
    kept = [
        step
        for step in steps
        if (step.threshold < threshold and SEVERITY[step.action] < SEVERITY[action])
        or (step.threshold > threshold and SEVERITY[step.action] > SEVERITY[action])
    ]
    return tuple(sorted([*kept, Step(action, threshold)], key=lambda step: step.threshold))


def _category(decision: Decision) -> str | None:
    return decision.ruling.finding.category if decision.ruling else None


def _change(rows: Sequence[Decision], moved: Policy, category: str) -> Change | None:
    first = rows[0]
    rules = moved.tailored("vi" if first.language == "vi" else "en", first.model_id)
    again = [
        replace(row, action=rules.rule(row.direction, row.ruling.finding).action)
        if row.ruling is not None and _category(row) == category
        else row
        for row in rows
    ]
    before, after = strictest(rows), strictest(again)
    if before is after:
        return None
    scores = (row.ruling.finding.score for row in rows if row.ruling is not None and _category(row) == category)
    return Change(
        verdict_id=first.verdict_id,
        created_at=first.created_at,
        before=before,
        after=after,
        score=max(scores),
        language=first.language,
        model_id=first.model_id,
    )
