"""Which policy is in force and which detectors run, in words. No Gradio here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from playground.moderation.holding import Held
from playground.moderation.policy import Policy
from playground.review.examination import DetectorState
from playground.ui.words import Words


@dataclass(frozen=True, slots=True)
class DetectorRow:
    """`state` is "ok", "idle" (no part of the policy) or "broken"."""

    name: str
    version: str
    state: str
    text: str


@dataclass(frozen=True, slots=True)
class PolicyView:
    """`state` is "on", "shadow" or "off"; `warning` says what that means, unless all is as it should be."""

    name: str
    state: str
    warning: str
    facts: tuple[tuple[str, str], ...]
    detectors: tuple[DetectorRow, ...]


def policy_view(policy: Policy, states: Iterable[DetectorState], words: Words, held: Held | None = None) -> PolicyView:
    """The policy in force, and how long it held answers back."""
    tried = sum(step.shadow for rules in policy.rules.values() for steps in rules.values() for step in steps)
    facts = [
        (words("workbench.policy_unit"), words(f"workbench.unit_{policy.unit}")),
        (words("workbench.policy_unavailable"), words(f"workbench.unavailable_{policy.unavailable}")),
    ]
    if held:
        facts.insert(1, (words("workbench.policy_held"), _held(held, words)))
    if tried:
        facts.append((words("workbench.policy_trial"), words.number(tried)))
    own = [*policy.languages, *policy.models]
    if own:
        facts.append((words("workbench.policy_own"), ", ".join(own)))
    warning = words.find(f"workbench.checks_{policy.checks}") or ""
    return PolicyView(policy.name, policy.checks, warning, tuple(facts), tuple(_row(state, words) for state in states))


def _held(held: Held, words: Words) -> str:
    return words(
        "workbench.held_value",
        characters=words.number(held.characters),
        characters_p95=words.number(held.characters_p95),
        milliseconds=words.number(held.milliseconds),
        milliseconds_p95=words.number(held.milliseconds_p95),
        releases=words.number(held.releases),
    )


def _row(state: DetectorState, words: Words) -> DetectorRow:
    if state.error:
        return DetectorRow(state.name, state.version, "broken", words("workbench.cannot_run", reason=state.error))
    if not state.directions:
        return DetectorRow(state.name, state.version, "idle", words("workbench.not_asked"))
    ways = ", ".join(words(f"workbench.{way}") for way in state.directions)
    return DetectorRow(state.name, state.version, "ok", words("workbench.runs", directions=ways))
