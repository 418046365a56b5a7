"""Running detectors over a text: what they found, checked, and which of them could not do their work."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from playground.domain import Action, Finding, Ruling
from playground.errors import DetectorUnavailable
from playground.moderation.categories import CATEGORIES
from playground.moderation.contract import Detector

logger = logging.getLogger(__name__)

SEVERITY = {Action.ALLOW: 0, Action.WARN: 1, Action.REDACT: 2, Action.BLOCK: 3}


@dataclass(frozen=True, slots=True)
class Scan:
    """Findings of all detectors that could run, in order of their spans; `failed` names the others."""

    findings: tuple[Finding, ...]
    failed: tuple[str, ...] = ()


def scan_with(detectors: Sequence[Detector], text: str) -> Scan:
    """Let every detector look at `text`. A detector that raises or returns nonsense has failed."""
    findings: list[Finding] = []
    failed: list[str] = []
    for detector in detectors:
        try:
            findings += _checked(detector, text)
        except DetectorUnavailable as error:
            logger.warning("detector %s could not run: %s", detector.name, error)
            failed.append(detector.name)
    return Scan(tuple(sorted(findings, key=lambda finding: finding.span)), tuple(failed))


def moved(finding: Finding, by: int) -> Finding:
    """The same finding in a text that has `by` more characters before it."""
    return replace(finding, span=(finding.span[0] + by, finding.span[1] + by))


def unsettled_with(detectors: Sequence[Detector], text: str) -> int:
    """How many characters at the end of `text` have to wait for what follows.

    Raises DetectorUnavailable when a detector cannot tell.
    """
    return max((_checked_unsettled(detector, text) for detector in detectors), default=0)


def strictest(rulings: Iterable[Ruling]) -> Action:
    """The most severe action among the rulings; to allow when there is none."""
    return max((ruling.action for ruling in rulings), key=SEVERITY.__getitem__, default=Action.ALLOW)


def _checked(detector: Detector, text: str) -> list[Finding]:
    try:
        findings = list(detector.scan(text))
    except DetectorUnavailable:
        raise
    except Exception as error:
        raise DetectorUnavailable(f"{detector.name} failed with {type(error).__name__}.") from error
    for finding in findings:
        fault = _fault(finding, len(text))
        if fault:
            raise DetectorUnavailable(f"{detector.name} returned {fault}.")
    return findings


def _checked_unsettled(detector: Detector, text: str) -> int:
    try:
        held = detector.unsettled(text)
    except DetectorUnavailable:
        raise
    except Exception as error:
        raise DetectorUnavailable(f"{detector.name} failed with {type(error).__name__}.") from error
    if not isinstance(held, int) or not 0 <= held <= len(text):
        raise DetectorUnavailable(f"{detector.name} holds back an impossible number of characters.")
    return held


def _fault(finding: object, length: int) -> str:
    """What is wrong with a finding, or "" when nothing is."""
    if not isinstance(finding, Finding):
        return "something that is not a finding"
    if finding.category not in CATEGORIES:
        return "an unknown category"
    score: object = finding.score
    if not isinstance(score, int | float) or not math.isfinite(score) or not 0 <= score <= 1:
        return "a score outside 0 to 1"
    span: object = finding.span
    if not isinstance(span, tuple) or len(span) != 2 or not all(isinstance(place, int) for place in span):
        return "a span that is not a pair of positions"
    return "" if 0 <= span[0] < span[1] <= length else "a span outside the text"
