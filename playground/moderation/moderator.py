"""The gate as the rest of the house sees it: one policy, its detectors, both directions."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from playground.domain import Action, Direction, Finding, Language, Ruling, Verdict
from playground.errors import DetectorUnavailable
from playground.moderation.contract import Detector, Observe, Scope, Screened, facing, unobserved
from playground.moderation.fingerprint import Fingerprint
from playground.moderation.guard import StreamGuard
from playground.moderation.holding import HoldMeter
from playground.moderation.policy import Policy, load_policy
from playground.moderation.redaction import guess_language, redact
from playground.moderation.registry import DETECTORS, DetectorFactory
from playground.moderation.screening import Scan, moved, scan_with, strictest
from playground.moderation.segmentation import UNITS, unit_ends
from playground.moderation.time_limit import limited

_SEAM = 64  # characters on either side of the border between two messages
_SEAM_TURNS = 4
_WHOLE = 4096  # up to this length a text is also judged as a whole


class UnavailableDetector:
    """Stands for a detector that could not be made; it is unavailable to everyone who asks."""

    version = ""
    reach = 0
    scope: Scope = "span"

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason

    def scan(self, text: str) -> list[Finding]:  # noqa: ARG002 - the contract's signature
        """Raises DetectorUnavailable with the reason."""
        raise DetectorUnavailable(self.reason)

    def unsettled(self, text: str) -> int:  # noqa: ARG002
        """Nothing waits for a detector that cannot look."""
        return 0


class PolicyModerator:
    """A Moderator under one policy. Detectors keep no state, so it may be shared between threads.

    Rules per language look at what a message is written in, and for an answer at what it is asked for in. `meter` tells
    how long answers are held back, `observe` hears how long each look took.
    """

    def __init__(
        self,
        policy: Policy,
        detectors: Mapping[str, Detector],
        fingerprint: Fingerprint | None = None,
        observe: Observe = unobserved,
    ) -> None:
        self.policy = policy
        self.detectors = detectors
        self.meter = HoldMeter()
        self._observe = observe
        self._fingerprint = fingerprint or Fingerprint()
        timed = {name: limited(detector, policy.time_limit) for name, detector in detectors.items()}
        self._detectors = {way: tuple(timed[name] for name in policy.detectors[way]) for way in Direction}

    def tailors(self, model_id: str) -> bool:
        """Whether the policy names this model."""
        return model_id in self.policy.models

    def check_input(
        self,
        text: str,
        *,
        context: Sequence[str] = (),
        language: Language = "en",
        model_id: str = "",
    ) -> Screened:
        """Screen what a person typed. `context` are the earlier turns, newest last: what only comes about where one
        of them meets the new text ("ki", "ll yourself") counts as well.

        A detector that cannot run never raises here: the policy makes a blocking or a degraded verdict of it.
        """
        began = time.perf_counter()
        try:
            return self._screen(text, context, language, model_id, began)
        finally:
            self._observe(Direction.INPUT, time.perf_counter() - began)

    @property
    def unable(self) -> dict[str, str]:
        """Detectors of the policy that could not be made, with the reason."""
        return {
            name: detector.reason
            for name, detector in self.detectors.items()
            if isinstance(detector, UnavailableDetector)
        }

    def _screen(self, text: str, context: Sequence[str], language: Language, model_id: str, began: float) -> Screened:
        written_in = guess_language(text, language)
        policy = self.policy.tailored(written_in, model_id)
        rules = [detector for detector in self._detectors[Direction.INPUT] if detector.scope == "span"]
        judges = [
            facing(detector, Direction.INPUT, context)
            for detector in self._detectors[Direction.INPUT]
            if detector.scope != "span"
        ]
        scan = _with_judged(scan_with(rules, text), judges, text)
        # What comes about at a border is a matter of words: nobody is asked nine times over a network for it.
        seams = self._seam_findings([rule for rule in rules if getattr(rule, "prompt", False)], text, context)
        rulings = tuple(
            ruling
            for ruling in (policy.rule(Direction.INPUT, finding) for finding in (*scan.findings, *seams))
            if ruling.telling
        )
        stopped = bool(scan.failed) and self.policy.unavailable == "block"
        action = Action.BLOCK if stopped else strictest(rulings)
        if not rulings and not scan.failed:
            return Screened(text)
        verdict = Verdict(
            direction=Direction.INPUT,
            action=action,
            rulings=rulings,
            policy=self.policy.name,
            elapsed_ms=(time.perf_counter() - began) * 1000,
            degraded=scan.failed,
            unavailable=stopped and strictest(rulings) is not Action.BLOCK,
            language=written_in,
            text_hash=self._fingerprint(text),
            text_length=len(text),
        )
        return Screened(_passed(text, action, rulings, language), verdict)

    def guard(
        self,
        direction: Direction = Direction.OUTPUT,
        *,
        context: Sequence[str] = (),
        language: Language = "en",
        model_id: str = "",
        counted: bool = True,
    ) -> StreamGuard:
        """A new guard for one stream; `context` are the turns before it, newest last."""
        policy = self.policy.tailored(language, model_id)
        detectors = [facing(detector, direction, context) for detector in self._detectors[direction]]
        meter, observe = (self.meter, self._observe) if counted else (None, unobserved)
        return StreamGuard(policy, detectors, direction, language, self._fingerprint, meter=meter, observe=observe)

    def _seam_findings(self, detectors: Sequence[Detector], text: str, context: Sequence[str]) -> list[Finding]:
        head = text[:_SEAM]
        found: dict[tuple[str, int], Finding] = {}
        for turn in context[-_SEAM_TURNS:] if head else ():
            for glue in ("", " "):
                tail = turn[-_SEAM:] + glue
                border = len(tail)
                for finding in scan_with(detectors, tail + head).findings:
                    start, end = finding.span
                    if start < border - len(glue) and end > border:
                        found[finding.category, end] = replace(finding, span=(0, end - border))
        return list(found.values())


def build_moderator(policy: str | Path, registry: Mapping[str, DetectorFactory] = DETECTORS) -> PolicyModerator:
    """The gate under a built-in policy ("standard", "strict", "lenient", "off") or that of a TOML file.

    Raises PolicyError when the policy is unknown or malformed.
    """
    return equip(load_policy(policy, tuple(registry)), registry)


def equip(
    loaded: Policy,
    registry: Mapping[str, DetectorFactory],
    fingerprint: Fingerprint | None = None,
    observe: Observe = unobserved,
) -> PolicyModerator:
    """The gate under a policy, with its detectors made.

    A detector that cannot be made does not stop the start; the policy deals with its absence at every check.
    """
    names = {name for way in Direction for name in loaded.detectors[way]}
    made = {name: make_detector(name, registry[name]) for name in names}
    return PolicyModerator(loaded, made, fingerprint, observe)


def _with_judged(scan: Scan, judges: Sequence[Detector], text: str) -> Scan:
    """Add what judges find in the parts of the text that are theirs to see."""
    if not judges or not text:
        return scan
    findings = {(finding.detector, finding.category, finding.span): finding for finding in scan.findings}
    failed = dict.fromkeys(scan.failed)
    for (start, end), seeing in _looks(judges, text):
        judged = scan_with(seeing, text[start:end])
        failed.update(dict.fromkeys(judged.failed))
        for finding in (moved(found, start) for found in judged.findings):
            key = (finding.detector, finding.category, finding.span)
            if key not in findings or findings[key].score < finding.score:
                findings[key] = finding
        if failed:
            break
    return Scan(tuple(sorted(findings.values(), key=lambda finding: finding.span)), tuple(failed))


def _looks(judges: Sequence[Detector], text: str) -> Iterator[tuple[tuple[int, int], list[Detector]]]:
    """Who is shown which part: judges of units every sentence, for one bad sentence in a long text counts, and a short
    text whole; judges of texts the whole, however long it is.
    """
    ends, _ = unit_ends(text, UNITS["sentence"])
    whole = (0, len(text))
    pieces = {(start, end) for start, end in pairwise([0, *ends, len(text)]) if start < end}
    if len(text) <= _WHOLE:
        pieces.add(whole)
    for piece in sorted({*pieces, whole}):
        shown = {"unit": piece in pieces, "text": piece == whole}
        seeing = [judge for judge in judges if shown[judge.scope]]
        if seeing:
            yield piece, seeing


def make_detector(name: str, factory: DetectorFactory) -> Detector:
    """The detector, or an unavailable one in its place that gives the reason to everyone who asks."""
    try:
        return factory()
    except DetectorUnavailable as error:
        return UnavailableDetector(name, str(error))


def _passed(text: str, action: Action, rulings: Sequence[Ruling], language: Language) -> str:
    if action is Action.BLOCK:
        return ""
    covered = [ruling for ruling in rulings if ruling.action is Action.REDACT]
    return redact(text, 0, len(text), covered, language) if covered else text
