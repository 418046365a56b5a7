"""What detectors said about the rows of a data set, kept in little memory, and from which score on it counts."""

from __future__ import annotations

import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from playground.domain import Action, Direction
from playground.moderation.contract import Detector
from playground.moderation.policy import Policy
from playground.moderation.screening import SEVERITY, Scan, scan_batch_with


@dataclass(slots=True)
class Column:
    """Scores and decisions of one subject for one label: within the label's category, and over all categories."""

    within: array[float] = field(default_factory=lambda: array("d"))
    within_decided: array[int] = field(default_factory=lambda: array("b"))
    reported: bool = False


@dataclass(slots=True)
class Tally:
    """What one subject said, row by row."""

    columns: tuple[Column, ...]
    scores: array[float] = field(default_factory=lambda: array("d"))
    decided: array[int] = field(default_factory=lambda: array("b"))
    failed: array[int] = field(default_factory=lambda: array("b"))
    seconds: array[float] = field(default_factory=lambda: array("d"))


class Limits:
    """From which score on a finding of a category counts as flagged."""

    def __init__(self, policy: Policy, direction: Direction, wanted: Action) -> None:
        self._rules = policy.rules[direction]
        self._wanted = SEVERITY[wanted]

    def strict(self, category: str) -> float | None:
        """The lowest threshold whose action is at least the wanted one."""
        steps = [step for step in self._rules[category] if SEVERITY[step.action] >= self._wanted]
        return steps[0].threshold if steps else None

    def lenient(self, category: str) -> float | None:
        """As `strict`, or else the threshold of the strictest action there is; None when all is allowed."""
        steps = [step for step in self._rules[category] if step.action is not Action.ALLOW]
        strict = self.strict(category)
        return strict if strict is not None or not steps else steps[-1].threshold

    @staticmethod
    def reached(limit: float | None, score: float) -> bool:
        """Whether there is a limit and the score is not below it."""
        return limit is not None and score >= limit


def scan_timed(detector: Detector, texts: Sequence[str]) -> tuple[list[Scan], list[float]]:
    """The scans and the seconds of each; the time of a true batch is shared out by length."""
    parts = [texts] if hasattr(detector, "scan_batch") else [[text] for text in texts]
    scans: list[Scan] = []
    seconds: list[float] = []
    for part in parts:
        began = time.perf_counter()
        scans += scan_batch_with(detector, part)
        spent = time.perf_counter() - began
        seconds += [spent * len(text) / sum(map(len, part)) for text in part]
    return scans, seconds
