from __future__ import annotations

import math
from typing import Any

import pytest

from playground.domain import Action, Finding, Ruling
from playground.errors import DetectorUnavailable
from playground.moderation.contract import Scope
from playground.moderation.screening import scan_with, strictest, unsettled_with


class Reporting:
    """A detector that reports what it was given."""

    name = "reporting"
    version = "1"
    reach = 8
    scope: Scope = "span"

    def __init__(self, findings: Any, held: Any = 0) -> None:
        self._findings = findings
        self._held = held

    def scan(self, text: str) -> list[Finding]:
        if isinstance(self._findings, Exception):
            raise self._findings
        return self._findings  # type: ignore[no-any-return]

    def unsettled(self, text: str) -> int:
        if isinstance(self._held, Exception):
            raise self._held
        return self._held  # type: ignore[no-any-return]


def finding(**changes: Any) -> Finding:
    values: dict[str, Any] = {"category": "slur", "score": 0.9, "span": (0, 2), "detector": "reporting", "version": "1"}
    return Finding(**(values | changes))


@pytest.mark.parametrize(
    "findings",
    [
        DetectorUnavailable("the model file is missing"),
        ValueError("bug"),
        RecursionError(),
        None,
        ["text"],
        [finding(category="rudeness")],
        [finding(score=math.nan)],
        [finding(score=math.inf)],
        [finding(score=1.01)],
        [finding(score=-0.1)],
        [finding(score="high")],
        [finding(span=(0, 5))],
        [finding(span=(-1, 2))],
        [finding(span=(2, 2))],
        [finding(span=(2, 1))],
        [finding(span=(0,))],
        [finding(span=(0.0, 1.0))],
        [finding(span=None)],
    ],
)
def test_a_detector_that_raises_or_returns_nonsense_has_failed(findings: Any) -> None:
    fine = Reporting([finding()])
    fine.name = "fine"
    scan = scan_with([Reporting(findings), fine], "text")
    assert scan.failed == ("reporting",)
    assert len(scan.findings) == 1


@pytest.mark.parametrize("held", [-1, 5, 1.5, None, ValueError("bug"), DetectorUnavailable("gone")])
def test_an_impossible_hold_is_a_failure(held: Any) -> None:
    with pytest.raises(DetectorUnavailable):
        unsettled_with([Reporting([], held)], "text")


def test_the_largest_hold_counts() -> None:
    assert unsettled_with([Reporting([], 1), Reporting([], 3)], "text") == 3
    assert unsettled_with([], "text") == 0


def test_findings_come_in_the_order_of_the_text() -> None:
    scan = scan_with(
        [Reporting([finding(span=(2, 3)), finding(span=(0, 1))]), Reporting([finding(span=(1, 2))])], "text"
    )
    assert [found.span for found in scan.findings] == [(0, 1), (1, 2), (2, 3)]


def test_the_strictest_action_decides() -> None:
    rulings = [Ruling(finding(), action, 0.5) for action in (Action.WARN, Action.BLOCK, Action.REDACT)]
    assert strictest(rulings) is Action.BLOCK
    assert strictest(rulings[::2]) is Action.REDACT
    assert strictest([]) is Action.ALLOW


@pytest.mark.parametrize("scope", ["span", "unit"])
def test_what_a_whole_unit_was_judged_for_says_so(scope: Scope) -> None:
    detector = Reporting([finding()])
    detector.scope = scope
    assert [found.judged for found in scan_with([detector], "text").findings] == [scope == "unit"]
