"""The output guard: of a stream of text it lets through what is cleared, unit by unit, and nothing else.

A unit (a clause, say) is released once every detector has seen it together with all that could still change what is
found in it. Units follow from the text alone, so the result does not depend on how the text was cut on its way here.
Every character is looked at a bounded number of times: a unit has a least and a greatest length, and an attempt that
releases nothing is repeated only after the waiting text has grown by a share of itself.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from playground.domain import Action, Direction, Language, Ruling, Verdict
from playground.errors import DetectorUnavailable
from playground.moderation.contract import Detector, Observe, Screened, unobserved
from playground.moderation.fingerprint import Fingerprint
from playground.moderation.holding import HoldMeter
from playground.moderation.policy import Policy
from playground.moderation.redaction import guess_language, redact
from playground.moderation.remote_images import Fences
from playground.moderation.screening import moved, scan_with, strictest, unsettled_with
from playground.moderation.segmentation import UNITS, unit_ends

_NOTHING = Screened("")


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at the waiting text: `window` is released context up to `offset`, then what waits."""

    window: str
    offset: int
    rulings: tuple[Ruling, ...]
    failed: tuple[str, ...]
    began: float


_CONTEXT = 96  # released characters that detectors see again, to the left of what they decide about
_OVERHANG = 256  # how much longer than its greatest length a unit gets before it is looked at: what may be unsettled
_REVIEWED = 240  # the least of what was released that is screened again when a text is resumed
_PROBE = 20  # characters in which the end of a unit is recognised


class StreamGuard:
    """An OutputGuard for one stream under one policy. Not to be shared between threads."""

    def __init__(
        self,
        policy: Policy,
        detectors: Sequence[Detector],
        direction: Direction,
        language: Language = "en",
        fingerprint: Fingerprint | None = None,
        *,
        meter: HoldMeter | None = None,
        observe: Observe = unobserved,
    ) -> None:
        self._policy = policy
        self._detectors = tuple(detector for detector in detectors if detector.scope == "span")
        self._judges = tuple(detector for detector in detectors if detector.scope != "span")
        self._direction = direction
        self._language: Language = language
        self._asked_in: Language = language
        self._fingerprint = fingerprint or Fingerprint()
        self._meter = meter or HoldMeter()
        self._observe = observe
        self._since: float | None = None  # when the first of the characters arrived that wait
        self._unit = UNITS[policy.unit]
        self._parts: list[str] = []
        self._held = 0
        self._context = ""
        self._probe = ""
        self._ready = False
        self._due = self._unit.shortest
        self._fences = Fences()
        self._verdicts: list[Verdict] = []
        self._degraded: set[str] = set()
        self._closed = False

    @property
    def held(self) -> int:
        """How many characters are held back right now."""
        return self._held

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Every decision so far (warned, redacted, blocked, degraded)."""
        return tuple(self._verdicts)

    def resume(self, released: str) -> str:
        """Go on after a text that was released; returns the end of it, which is screened again together with the rest.

        That is the unit that is still growing, and at least `_REVIEWED` characters from where a unit begins. To be
        called first.
        """
        if not self._detectors and not self._judges:
            return ""
        ends, _ = unit_ends(released, self._unit)
        start = max((end for end in ends if end <= len(released) - _REVIEWED), default=0)
        self._fences.advance(released[:start])
        self._keep(released[max(0, start - _CONTEXT) : start], released[start:])
        return released[start:]

    def feed(self, delta: str) -> Screened:
        """Take in more text; returns what is cleared by now. After a blocking verdict or the end: nothing."""
        if self._closed or not delta:
            return _NOTHING
        if not self._detectors and not self._judges:
            return Screened(delta)
        if self._since is None:
            self._since = time.perf_counter()
        self._parts.append(delta)
        self._held += len(delta)
        if not self._ready:
            probe = self._probe + delta
            self._ready = self._unit.ends.search(probe) is not None
            self._probe = probe[-_PROBE:]
        overlong = self._unit.longest and self._held > self._unit.longest + _OVERHANG
        if self._held < self._due or not (self._ready or overlong):
            return _NOTHING
        pending = "".join(self._parts)
        ends, read = unit_ends(pending, self._unit)
        if ends:
            return self._advance(pending, ends, final=False)
        self._wait(pending, read)
        return _NOTHING

    def finish(self) -> Screened:
        """The stream has ended; returns the rest, or a blocking verdict."""
        if self._closed:
            return _NOTHING
        pending = "".join(self._parts)
        ends, _ = unit_ends(pending, self._unit)
        screened = self._advance(pending, [*ends, len(pending)], final=True) if pending else _NOTHING
        self._closed = True
        return screened

    def _advance(self, pending: str, complete: list[int], *, final: bool) -> Screened:
        began = time.perf_counter()
        try:
            return self._decide(pending, complete, final=final)
        finally:
            self._observe(self._direction, time.perf_counter() - began)

    def _decide(self, pending: str, complete: list[int], *, final: bool) -> Screened:
        look, settled = self._look(self._context + pending, final=final)
        ends = [look.offset + end for end in complete]
        if look.failed and self._policy.unavailable == "block":
            return self._block(replace(look, rulings=()), look.offset)
        first = next((ruling for ruling in look.rulings if ruling.action is Action.BLOCK), None)
        if first:
            cut = max((end for end in ends if end <= first.finding.span[0]), default=look.offset)
        else:
            cut = _last_cut(ends, settled, look)
        look, cleared = self._judge(look, [end for end in ends if end <= cut])
        if first or cleared < cut:
            return self._block(look, cleared)
        if cut > look.offset:
            return self._release(look, cut)
        # Not before the first unit can be settled, if what is unsettled stays as long as it is; but bounded. Something
        # long that is still going on (a key, say) is looked at again when it has grown by a share of itself.
        going_on = len(look.window) - settled
        share = max(going_on // 8, going_on // 2 - 2048) if going_on > _OVERHANG else 0
        self._due = self._held + max(8, min(ends[0] - settled, 16 + self._held // 2), share)
        return _NOTHING

    def _look(self, window: str, *, final: bool) -> tuple[_Look, int]:
        """What the detectors say about the waiting text, and up to where more text cannot change that."""
        began = time.perf_counter()
        offset = len(self._context)
        scan = scan_with(self._detectors, window)
        able = [detector for detector in self._detectors if detector.name not in scan.failed]
        failed, held = scan.failed, 0
        if not final:
            try:
                held = unsettled_with(able, window)
            except DetectorUnavailable:
                failed = (*failed, *(detector.name for detector in able))
        settled = len(window) - held
        rulings = (
            self._policy.rule(self._direction, finding)
            for finding in scan.findings
            if finding.span[1] > offset and finding.span[0] < settled
        )
        telling = tuple(ruling for ruling in rulings if ruling.telling)
        look = _Look(window, offset, telling, failed, began)
        if any(ruling.finding.category == "remote_image" for ruling in telling):
            look = replace(look, rulings=tuple(ruling for ruling in telling if not self._quoted(ruling, look)))
        return look, settled

    def _judge(self, look: _Look, ends: Sequence[int]) -> tuple[_Look, int]:
        """Have the units up to the last of `ends` judged one by one; up to where they are cleared."""
        start = look.offset
        for end in ends if self._judges else ():
            scan = scan_with(self._judges, look.window[start:end])
            rulings = [self._policy.rule(self._direction, moved(finding, start)) for finding in scan.findings]
            telling = [ruling for ruling in rulings if ruling.action is not Action.ALLOW]
            look = replace(look, rulings=(*look.rulings, *telling), failed=(*look.failed, *scan.failed))
            if scan.failed and self._policy.unavailable == "block":
                return replace(look, rulings=()), start
            if strictest(telling) is Action.BLOCK:
                return look, start
            start = end
        return look, max(start, *ends, look.offset) if ends else start

    def _quoted(self, ruling: Ruling, look: _Look) -> bool:
        """Whether this is an image inside fenced code, which is shown and not loaded."""
        finding = ruling.finding
        if finding.category != "remote_image":
            return False
        return self._fences.inside_after(look.window[look.offset : max(look.offset, finding.span[0])])

    def _block(self, look: _Look, cut: int) -> Screened:
        """Release what was cleared up to `cut`, and nothing after it, ever."""
        text = self._shown(look, cut)
        verdict = self._verdict(look, look.rulings, Action.BLOCK)
        self._closed = True
        self._parts, self._held = [], 0
        return Screened(text, verdict)

    def _release(self, look: _Look, cut: int) -> Screened:
        decided = tuple(ruling for ruling in look.rulings if ruling.finding.span[0] < cut)
        news = not self._degraded.issuperset(look.failed)
        self._degraded.update(look.failed)
        verdict = self._verdict(look, decided, strictest(decided)) if decided or news else None
        text = self._shown(look, cut)
        now = time.perf_counter()
        self._meter.note(self._held, now - (self._since or now))
        self._since = now if cut < len(look.window) else None
        self._language = guess_language(look.window[look.offset : cut], self._language)
        self._fences.advance(look.window[look.offset : cut])
        self._keep(look.window[max(0, cut - _CONTEXT) : cut], look.window[cut:])
        return Screened(text, verdict)

    def _keep(self, context: str, rest: str) -> None:
        self._context = context
        self._held = len(rest)
        ends, read = unit_ends(rest, self._unit)
        self._wait(rest, read)
        if ends:
            self._ready, self._due = True, self._held + 16

    def _wait(self, pending: str, read: int) -> None:
        """No unit is complete: wait for a closing mark behind `read`."""
        self._parts = [pending]
        self._probe = pending[max(read, len(pending) - _PROBE) :]
        self._ready, self._due = False, self._unit.shortest

    def _verdict(self, look: _Look, rulings: tuple[Ruling, ...], action: Action) -> Verdict:
        spans = [ruling.finding.span for ruling in rulings]
        judged = look.window[min(start for start, _ in spans) : max(end for _, end in spans)] if spans else ""
        verdict = Verdict(
            direction=self._direction,
            action=action,
            rulings=rulings,
            policy=self._policy.name,
            elapsed_ms=(time.perf_counter() - look.began) * 1000,
            degraded=look.failed,
            unavailable=action is Action.BLOCK and not rulings,
            language=self._asked_in,
            text_hash=self._fingerprint(judged) if judged else "",
            text_length=len(judged),
        )
        self._verdicts.append(verdict)
        return verdict

    def _shown(self, look: _Look, cut: int) -> str:
        covering = [ruling for ruling in look.rulings if ruling.action is Action.REDACT]
        if not covering:
            return look.window[look.offset : cut]
        return redact(look.window, look.offset, cut, covering, self._language)


def _last_cut(ends: Sequence[int], settled: int, look: _Look) -> int:
    """The last end of a unit that is settled and not inside anything found; where the text begins if there is none."""
    spans = [ruling.finding.span for ruling in look.rulings]
    for end in reversed(ends):
        if end <= settled and not any(start < end < stop for start, stop in spans):
            return end
    return look.offset
