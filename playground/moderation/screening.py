"""Running detectors over a text: what they found, checked, and which of them could not do their work."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from playground.domain import Action, Finding
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
            findings += scan_one(detector, text)
        except DetectorUnavailable as error:
            logger.warning("detector %s could not run: %s", detector.name, error)
            failed.append(detector.name)
    return Scan(tuple(sorted(findings, key=lambda finding: finding.span)), tuple(failed))


def scan_batch_with(detector: Detector, texts: Sequence[str]) -> list[Scan]:
    """Let one detector look at many texts: at once if it has `scan_batch(texts)`, else one by one.

    When a batch fails its texts are tried singly, so that one of them does not fail the others.
    """
    together = getattr(detector, "scan_batch", None)
    if together is not None:
        try:
            return [Scan(tuple(found)) for found in _checked_batch(detector, together, texts)]
        except DetectorUnavailable as error:
            logger.warning("detector %s could not run a batch: %s", detector.name, error)
    return [scan_with([detector], text) for text in texts]


def moved(finding: Finding, by: int) -> Finding:
    """The same finding in a text that has `by` more characters before it."""
    return replace(finding, span=(finding.span[0] + by, finding.span[1] + by))


def unsettled_with(detectors: Sequence[Detector], text: str) -> int:
    """How many characters at the end of `text` have to wait for what follows.

    Raises DetectorUnavailable when a detector cannot tell.
    """
    return max((_checked_unsettled(detector, text) for detector in detectors), default=0)


class HasAction(Protocol):
    """A ruling, a verdict, a stored decision."""

    @property
    def action(self) -> Action:
        """What is done."""
        ...


def strictest(decided: Iterable[HasAction]) -> Action:
    """The most severe action among the rulings; to allow when there is none."""
    return max((one.action for one in decided), key=SEVERITY.__getitem__, default=Action.ALLOW)


def scan_one(detector: Detector, text: str) -> list[Finding]:
    """What one detector finds. Raises DetectorUnavailable when it does, when it fails, and when it returns nonsense."""
    try:
        findings = list(detector.scan(text))
    except DetectorUnavailable:
        raise
    except Exception as error:
        raise DetectorUnavailable(f"{detector.name} failed with {type(error).__name__}.") from error
    _refuse_faults(detector, findings, text)
    return _marked(detector, findings)


def _marked(detector: Detector, findings: list[Finding]) -> list[Finding]:
    """The findings of a detector that judges whole units say so: a receipt names a rule before a judgement."""
    return [replace(finding, judged=True) for finding in findings] if detector.scope == "unit" else findings


def _checked_batch(
    detector: Detector, together: Callable[[Sequence[str]], Iterable[list[Finding]]], texts: Sequence[str]
) -> list[list[Finding]]:
    try:
        batch = [list(findings) for findings in together(texts)]
    except DetectorUnavailable:
        raise
    except Exception as error:
        raise DetectorUnavailable(f"{detector.name} failed with {type(error).__name__}.") from error
    if len(batch) != len(texts):
        raise DetectorUnavailable(f"{detector.name} answered for {len(batch)} of {len(texts)} texts.")
    for findings, text in zip(batch, texts, strict=True):
        _refuse_faults(detector, findings, text)
    return [_marked(detector, findings) for findings in batch]


def _refuse_faults(detector: Detector, findings: Iterable[object], text: str) -> None:
    for finding in findings:
        fault = _fault(finding, len(text))
        if fault:
            raise DetectorUnavailable(f"{detector.name} returned {fault}.")


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
