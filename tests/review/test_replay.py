"""A moved threshold changes exactly those decisions that ruling again by hand changes."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from playground.domain import Action, Direction, Finding, Language, Ruling, utc_now
from playground.errors import InvalidRequest
from playground.moderation.policy import Policy, Step, load_policy
from playground.moderation.registry import DETECTORS
from playground.moderation.screening import SEVERITY
from playground.review.replay import move_step, replay
from playground.storage.decisions import Decision

OUT = Direction.OUTPUT
NOW = utc_now()


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load_policy("standard", tuple(DETECTORS))


def decision(
    policy: Policy,
    verdict_id: str,
    category: str,
    score: float,
    *,
    language: Language = "en",
    unavailable: bool = False,
) -> Decision:
    """What would be stored about such a finding today."""
    ruling = policy.rule(OUT, Finding(category, score, (0, 3), "words", "1"))
    return Decision(
        verdict_id=verdict_id, owner="anna", conversation_id=None, direction=OUT, action=ruling.action, ruling=ruling,
        policy=policy.name, language=language, model_id="echo", degraded=(), unavailable=unavailable, elapsed_ms=1.0,
        text_hash="", text_length=3, created_at=NOW - timedelta(seconds=score),
    )  # fmt: skip


def by_hand(rows: list[Decision], category: str, steps: tuple[Step, ...]) -> dict[tuple[Action, Action], int]:
    """Another way to the same numbers: verdict by verdict, with nothing of the code under test but the steps."""
    turns: dict[tuple[Action, Action], int] = {}
    for verdict_id in {row.verdict_id for row in rows}:
        before = after = Action.ALLOW
        for row in rows:
            if row.verdict_id != verdict_id or row.ruling is None:
                continue
            finding = row.ruling.finding
            again = row.action
            if finding.category == category:
                again = Action.ALLOW
                for step in steps:
                    again = step.action if finding.score >= step.threshold else again
            before = max(before, row.action, key=lambda action: SEVERITY[action])
            after = max(after, again, key=lambda action: SEVERITY[action])
        if before is not after:
            turns[before, after] = turns.get((before, after), 0) + 1
    return turns


@pytest.mark.parametrize("action", [Action.WARN, Action.REDACT, Action.BLOCK])
@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 0.65, 0.8, 0.93, 1.0])
def test_numbers_equal_ruling_again_by_hand(policy: Policy, action: Action, threshold: float) -> None:
    random = Random(7)
    rows = [
        decision(policy, f"v{random.randrange(80)}", random.choice(("profanity", "slur", "email")), random.random())
        for _ in range(200)
    ]
    rows = [row for row in rows if row.action is not Action.ALLOW]
    found = replay(rows, policy, direction=OUT, category="profanity", action=action, threshold=threshold)
    expected = by_hand(rows, "profanity", found.steps)
    assert dict(found.turns) == expected
    assert found.changed == sum(expected.values())
    concerned = {row.verdict_id for row in rows if row.ruling and row.ruling.finding.category == "profanity"}
    assert found.looked == len(concerned)
    assert {change.verdict_id for change in found.changes} <= concerned


def test_the_rule_that_is_in_force_changes_nothing(policy: Policy) -> None:
    rows = [decision(policy, str(number), "profanity", number / 10) for number in range(5, 11)]
    block = next(step for step in policy.rules[OUT]["profanity"] if step.action is Action.BLOCK)
    same = replay(rows, policy, direction=OUT, category="profanity", action=Action.BLOCK, threshold=block.threshold)
    assert (same.changed, same.steps) == (0, same.was)


def test_a_check_that_could_not_run_stays_as_it_was(policy: Policy) -> None:
    rows = [decision(policy, "v", "profanity", 0.6, unavailable=True)]
    assert replay(rows, policy, direction=OUT, category="profanity", action=Action.BLOCK, threshold=0.1).looked == 0


def test_rules_of_a_language_of_its_own_stay(policy: Policy) -> None:
    own = {Direction.INPUT: {}, OUT: {"profanity": (Step(Action.WARN, 0.1),)}}
    tailored = Policy(
        policy.name, policy.unit, policy.unavailable, policy.detectors, policy.rules, languages={"vi": own}
    )
    rows = [decision(tailored, "en", "profanity", 0.6), decision(tailored, "vi", "profanity", 0.6, language="vi")]
    found = replay(rows, tailored, direction=OUT, category="profanity", action=Action.BLOCK, threshold=0.55)
    assert [change.verdict_id for change in found.changes] == ["en"]


@pytest.mark.parametrize(
    ("action", "threshold", "expected"),
    [
        (Action.BLOCK, 0.9, [(Action.WARN, 0.5), (Action.BLOCK, 0.9)]),
        (Action.BLOCK, 0.4, [(Action.BLOCK, 0.4)]),
        (Action.WARN, 0.7, [(Action.WARN, 0.7), (Action.BLOCK, 0.8)]),
        (Action.WARN, 0.9, [(Action.WARN, 0.9)]),
        (Action.REDACT, 0.6, [(Action.WARN, 0.5), (Action.REDACT, 0.6), (Action.BLOCK, 0.8)]),
    ],
)
def test_a_moved_step_pushes_out_what_it_makes_pointless(
    action: Action, threshold: float, expected: list[tuple[Action, float]]
) -> None:
    steps = (Step(Action.WARN, 0.5), Step(Action.BLOCK, 0.8))
    assert [(step.action, step.threshold) for step in move_step(steps, action, threshold)] == expected


def test_what_cannot_be_is_refused(policy: Policy) -> None:
    with pytest.raises(InvalidRequest, match="colour"):
        replay([], policy, direction=OUT, category="colour", action=Action.BLOCK, threshold=0.5)
    with pytest.raises(InvalidRequest, match="0 to 1"):
        replay([], policy, direction=OUT, category="slur", action=Action.BLOCK, threshold=1.5)


def test_stored_trials_can_be_replayed(policy: Policy) -> None:
    tried = Ruling(Finding("profanity", 0.3, (0, 1), "words", "1"), Action.ALLOW, 0.2, Action.BLOCK)
    row = decision(policy, "v", "profanity", 0.3)
    stored = Decision(**{name: getattr(row, name) for name in Decision.__slots__} | {"ruling": tried})
    found = replay([stored], policy, direction=OUT, category="profanity", action=Action.BLOCK, threshold=0.25)
    assert dict(found.turns) == {(Action.ALLOW, Action.BLOCK): 1}
    assert found.floor == 0.5
