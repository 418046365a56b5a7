"""Whether a stream shows what it should not: texts fed to the output guard piece by piece, and what came out of it.

A text is flagged when a scan of the whole of it asks for blocking or covering. Of a block, the flagged unit begins
where the unit begins that holds the first character found. A detector of scope "unit" (a classifier, say) is held to
units: its finding belongs to the first unit that it flags by itself; when there is none, because only all units
together reach the threshold, the text is counted as "whole_only". Any character of the flagged unit, or of a span to
be covered, that comes out is a leak.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from playground.domain import Action, Direction, Finding, Ruling
from playground.moderation.contract import Detector
from playground.moderation.moderator import PolicyModerator
from playground.moderation.policy import Policy
from playground.moderation.redaction import redact
from playground.moderation.screening import scan_with
from playground.moderation.segmentation import UNITS, Unit, unit_ends

_NEIGHBOURS = 12
ARRIVAL = 200
"""Characters a second at which an answer is taken to arrive (about 50 tokens), to tell how long text is held back."""

_NOT_COVERED_ALONE = {"remote_image"}  # disarmed rather than covered, and not at all inside code


@dataclass(slots=True)
class _Stream:
    """What the guard did with one text: `before` characters were out when the blocking call came, which gave `last`."""

    released: str = ""
    before: int = 0
    last: str = ""
    blocked: bool = False
    seconds: float = 0.0
    releasing: list[float] = field(default_factory=list)
    held: list[int] = field(default_factory=list)


class StreamTrial:
    """Feeds texts in pieces of `piece` characters to the output guard of a policy, and counts."""

    def __init__(self, policy: Policy, detectors: Mapping[str, Detector], piece: int) -> None:
        self._policy = policy
        names = policy.detectors[Direction.OUTPUT]
        self._moderator = PolicyModerator(replace(policy, detectors=dict.fromkeys(Direction, names)), detectors)
        self._detectors = tuple(detectors[name] for name in names)
        self._unit = UNITS[policy.unit]
        self._piece = piece
        self._counts = dict.fromkeys(("texts", "flagged", "leaked", "blocked", "missed", "whole_only"), 0)
        self._seconds: list[float] = []
        self._releasing: list[float] = []
        self._held: list[int] = []

    def add(self, text: str, findings: Sequence[Finding]) -> None:
        """Stream one text; `findings` are those of all detectors in the whole of it."""
        rulings = [self._policy.rule(Direction.OUTPUT, finding) for finding in findings]
        blocking = [ruling.finding for ruling in rulings if ruling.action is Action.BLOCK]
        covered = [ruling for ruling in rulings if ruling.action is Action.REDACT]
        stream = self._stream(text)
        self._note(stream)
        hidden = [ruling.finding for ruling in covered if ruling.finding.category not in _NOT_COVERED_ALONE]
        start = self._flagged_start(text, blocking) if blocking else None
        flagged = start is not None or bool(hidden)
        leaked = start is not None and _shown_past(stream, text, start, covered)
        leaked = leaked or any(_shows(stream.released, text, finding.span) for finding in hidden)
        self._counts["flagged"] += flagged
        self._counts["leaked"] += leaked
        self._counts["whole_only"] += bool(blocking) and start is None
        self._counts["missed"] += start is not None and not stream.blocked

    def report(self) -> dict[str, object]:
        """Counts, milliseconds spent in the guard (per text, and per call that released something), and what was held.

        At a release `held_characters` were waiting; the first of them had waited for `held_ms` if the answer came at
        `ARRIVAL`.
        """
        return {
            "piece": self._piece,
            **self._counts,
            "added_ms_per_text": _spread(np.array(self._seconds) * 1000),
            "added_ms_per_release": _spread(np.array(self._releasing) * 1000),
            "held_characters": _spread(np.array(self._held, dtype=np.float64)),
            "held_ms": _spread((np.array(self._held) / ARRIVAL + np.array(self._releasing)) * 1000),
            "unit": self._policy.unit,
        }

    def _note(self, stream: _Stream) -> None:
        self._counts["texts"] += 1
        self._counts["blocked"] += stream.blocked
        self._seconds.append(stream.seconds)
        self._releasing += stream.releasing
        self._held += stream.held

    def _stream(self, text: str) -> _Stream:
        guard = self._moderator.guard(Direction.OUTPUT)
        stream = _Stream()
        parts: list[str] = []
        fed = 0
        for piece in (*_pieces(text, self._piece), ""):
            stream.before, waiting = fed - guard.held, guard.held + len(piece)
            began = time.perf_counter()
            screened = guard.feed(piece) if piece else guard.finish()
            spent = time.perf_counter() - began
            fed += len(piece)
            stream.seconds += spent
            parts.append(screened.text)
            if screened.text or screened.blocked:
                stream.releasing.append(spent)
                stream.held.append(waiting)
            if screened.blocked:
                stream.blocked, stream.last = True, screened.text
                break
        stream.released = "".join(parts)
        return stream

    def _flagged_start(self, text: str, blocking: Sequence[Finding]) -> int | None:
        """Where the first flagged unit begins; None when it is only the text as a whole that is flagged."""
        ends = _ends(text, self._unit)
        starts = [self._start_of(text, finding, ends) for finding in blocking]
        return min((start for start in starts if start is not None), default=None)

    def _start_of(self, text: str, finding: Finding, ends: Sequence[int]) -> int | None:
        units = list(pairwise((0, *ends)))
        judges = [one for one in self._detectors if one.name == finding.detector and one.scope == "unit"]
        if not judges:
            return next((start for start, end in units if end > finding.span[0]), 0)
        for start, end in units:
            found = scan_with(judges, text[start:end]).findings
            if any(self._policy.rule(Direction.OUTPUT, one).action is Action.BLOCK for one in found):
                return start
        return None


def _ends(text: str, unit: Unit) -> list[int]:
    """The ends of all units of a whole text, the last one included."""
    ends, _ = unit_ends(text, unit)
    return ends if ends and ends[-1] == len(text) else [*ends, len(text)]


def _pieces(text: str, size: int) -> Iterator[str]:
    for start in range(0, len(text), size):
        yield text[start : start + size]


def _shown_past(stream: _Stream, text: str, start: int, covered: Sequence[Ruling]) -> bool:
    """Whether anything at or behind `start` came out."""
    if not stream.blocked:
        return True
    if stream.before > start:
        return True
    rightful = [text[stream.before : start]]
    rightful += [redact(text, stream.before, start, covered, language) for language in ("en", "vi")]
    return not any(part.startswith(stream.last) for part in rightful)


def _shows(released: str, text: str, span: tuple[int, int]) -> bool:
    """Whether the first or the last character of a covered span came out beside its neighbours."""
    start, end = span
    for left, right in ((max(0, start - _NEIGHBOURS), start + 1), (end - 1, end + _NEIGHBOURS)):
        seam = text[left:right]
        if len(seam) > 2 and text.count(seam) == 1 and seam in released:
            return True
    return text[start:end] in released and text.count(text[start:end]) == 1


def _spread(values: np.typing.NDArray[np.float64]) -> dict[str, float] | None:
    if not len(values):
        return None
    middle, high, last = np.percentile(values, (50, 95, 99))
    return {"p50": float(middle), "p95": float(high), "p99": float(last), "max": float(values.max())}
