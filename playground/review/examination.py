"""One text under the lamp: what every detector says about it, how long it took, and what a policy makes of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from playground.domain import Action, Direction, Language, Ruling, Verdict
from playground.errors import DetectorUnavailable
from playground.moderation.contract import Detector, facing
from playground.moderation.moderator import PolicyModerator, make_detector
from playground.moderation.policy import Policy
from playground.moderation.registry import DetectorFactory
from playground.moderation.screening import scan_one, strictest
from playground.moderation.time_limit import limited

_PROBE = "Hello."


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorState:
    """Whether a detector can run, and why not; `directions` are those in which the policy in force asks it."""

    name: str
    version: str
    directions: tuple[Direction, ...]
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one detector says about a text; `in_policy` tells whether the policy asks it at all."""

    detector: str
    version: str
    in_policy: bool
    elapsed_ms: float
    rulings: tuple[Ruling, ...]
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """Every detector's look, and what the gate as a whole decides. `released` is what it lets through."""

    direction: Direction
    policy: str
    looks: tuple[Look, ...]
    action: Action
    verdicts: tuple[Verdict, ...]
    elapsed_ms: float
    released: str

    @property
    def unavailable(self) -> bool:
        """Whether it was blocked only because a check could not run."""
        return any(verdict.unavailable for verdict in self.verdicts)


class Examiner:
    """Looks at texts with every detector there is. Detectors are made when they are first needed, once each."""

    def __init__(self, registry: Mapping[str, DetectorFactory], made: Mapping[str, Detector]) -> None:
        self._registry = registry
        self._made = dict(made)
        self._lock = threading.Lock()

    def states(self, policy: Policy) -> list[DetectorState]:
        """Every detector, those of the policy first; these have to look at a harmless word to show that they run."""
        states = []
        for name in self._registry:
            detector = self._detector(name)
            directions = tuple(way for way in Direction if name in policy.detectors[way])
            error = self._look(detector, _PROBE, policy, Direction.INPUT).error if directions else ""
            states.append(DetectorState(name=name, version=detector.version, directions=directions, error=error))
        return sorted(states, key=lambda state: not state.directions)

    def examine(
        self,
        text: str,
        direction: Direction,
        policy: Policy,
        *,
        language: Language = "en",
        model_id: str = "",
        everyone: bool = True,
    ) -> Examination:
        """Look at a text as if it had been typed, or written by `model_id`. Nothing is stored.

        `everyone`: let those detectors look too that the policy does not ask.
        """
        tailored = policy.tailored(language, model_id)
        names = self._registry if everyone else policy.detectors[direction]
        looks = tuple(self._look(self._detector(name), text, tailored, direction) for name in names)
        asked = {name for way in Direction for name in policy.detectors[way]}
        gate = PolicyModerator(policy, {name: self._detector(name) for name in asked})
        began = time.perf_counter()
        verdicts, released = _decide(gate, text, direction, language, model_id)
        return Examination(
            direction=direction,
            policy=policy.name,
            looks=tuple(sorted(looks, key=lambda look: not look.in_policy)),
            action=strictest(verdicts),
            verdicts=verdicts,
            elapsed_ms=(time.perf_counter() - began) * 1000,
            released=released,
        )

    def _detector(self, name: str) -> Detector:
        with self._lock:
            if name not in self._made:
                self._made[name] = make_detector(name, self._registry[name])
            return self._made[name]

    def _look(self, detector: Detector, text: str, policy: Policy, direction: Direction) -> Look:
        began = time.perf_counter()
        try:
            findings, error = scan_one(limited(facing(detector, direction), policy.time_limit), text), ""
        except DetectorUnavailable as reason:
            findings, error = [], str(reason)
        rulings = [policy.rule(direction, finding) for finding in findings]
        return Look(
            detector=detector.name,
            version=detector.version,
            in_policy=detector.name in policy.detectors[direction],
            elapsed_ms=(time.perf_counter() - began) * 1000,
            rulings=tuple(sorted(rulings, key=lambda ruling: -ruling.finding.score)),
            error=error,
        )


def _decide(
    gate: PolicyModerator, text: str, direction: Direction, language: Language, model_id: str
) -> tuple[tuple[Verdict, ...], str]:
    if direction is Direction.INPUT:
        screened = gate.check_input(text, language=language, model_id=model_id)
        return (screened.verdict,) if screened.verdict else (), screened.text
    guard = gate.guard(direction, language=language, model_id=model_id)
    released = guard.feed(text).text + guard.finish().text
    return guard.verdicts, released
