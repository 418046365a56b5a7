"""Which policy is in force and which detectors run, in words. No Gradio here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

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


def policy_view(policy: Policy, states: Iterable[DetectorState], words: Words) -> PolicyView:
    """The policy in force."""
    tried = sum(step.shadow for rules in policy.rules.values() for steps in rules.values() for step in steps)
    facts = [
        (words("workbench.policy_unit"), words(f"workbench.unit_{policy.unit}")),
        (words("workbench.policy_unavailable"), words(f"workbench.unavailable_{policy.unavailable}")),
    ]
    if tried:
        facts.append((words("workbench.policy_trial"), words.number(tried)))
    own = [*policy.languages, *policy.models]
    if own:
        facts.append((words("workbench.policy_own"), ", ".join(own)))
    warning = words.find(f"workbench.checks_{policy.checks}") or ""
    return PolicyView(policy.name, policy.checks, warning, tuple(facts), tuple(_row(state, words) for state in states))


def _row(state: DetectorState, words: Words) -> DetectorRow:
    if state.error:
        return DetectorRow(state.name, state.version, "broken", words("workbench.cannot_run", reason=state.error))
    if not state.directions:
        return DetectorRow(state.name, state.version, "idle", words("workbench.not_asked"))
    ways = ", ".join(words(f"workbench.{way}") for way in state.directions)
    return DetectorRow(state.name, state.version, "ok", words("workbench.runs", directions=ways))
