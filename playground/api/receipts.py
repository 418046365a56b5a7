"""Decisions of the gate as clients are told them: category, score against threshold, detector, and what to do next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from playground.domain import Action, Direction, Ruling, Verdict

_HAPPENED = {
    Direction.INPUT: "The safety check stopped what was sent: {category}. Change the message and try again.",
    Direction.OUTPUT: "The safety check stopped the answer: {category}. What came before is complete; ask differently.",
}


def what_happened(verdict: Verdict) -> str:
    """One sentence with the next step; a check that could not run is told apart from one that found something."""
    if verdict.unavailable:
        return "The safety check could not run, so nothing was let through. Nobody broke a rule; try again in a moment."
    decisive = verdict.decisive
    return _HAPPENED[verdict.direction].format(category=decisive.finding.category if decisive else "no category")


def receipt(verdict: Verdict) -> dict[str, Any]:
    """One decision. Places are told in what was sent only: what a model wrote and was stopped is gone."""
    return {
        "id": verdict.id,
        "direction": verdict.direction.value,
        "action": verdict.action.value,
        "policy": verdict.policy,
        "language": verdict.language,
        "unavailable": verdict.unavailable,
        "degraded": list(verdict.degraded),
        "findings": [_finding(ruling, verdict.direction) for ruling in verdict.rulings if ruling.action != "allow"],
    }


def moderation(verdicts: Iterable[Verdict], blocking: Verdict | None = None) -> dict[str, Any] | None:
    """The extension field `moderation` of an answer; None when nothing was decided that anybody need know."""
    decisions = [verdict for verdict in verdicts if not verdict.silent]
    if blocking is not None and all(verdict.id != blocking.id for verdict in decisions):
        decisions.append(blocking)
    if not decisions:
        return None
    order = list(Action)
    strictest = blocking or max(decisions, key=lambda verdict: order.index(verdict.action))
    told = {"action": strictest.action.value, "unavailable": strictest.unavailable}
    if blocking is not None:
        told["message"] = what_happened(blocking)
    return told | {"decisions": [receipt(verdict) for verdict in decisions]}


def _finding(ruling: Ruling, direction: Direction) -> dict[str, Any]:
    finding = ruling.finding
    told: dict[str, Any] = {
        "category": finding.category,
        "action": ruling.action.value,
        "score": round(finding.score, 4),
        "threshold": ruling.threshold,
        "detector": finding.detector,
        "version": finding.version,
    }
    if direction is Direction.INPUT:
        told["span"] = list(finding.span)
    return told
