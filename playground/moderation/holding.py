"""How long text is held back before it is shown: measured where it happens, for the operator."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import quantiles

_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class Held:
    """Medians and 95th percentiles over the last `releases`: characters waiting, and milliseconds the first waited."""

    releases: int
    characters: float
    characters_p95: float
    milliseconds: float
    milliseconds_p95: float


class HoldMeter:
    """Remembers the last thousand releases of all streams of a gate; safe to use from several threads."""

    def __init__(self) -> None:
        self._releases: deque[tuple[int, float]] = deque(maxlen=_REMEMBERED)

    def note(self, characters: int, seconds: float) -> None:
        """Text was released when `characters` were waiting, the first of them for so long."""
        self._releases.append((characters, seconds))

    def held(self) -> Held | None:
        """What was measured; None before the first release."""
        releases = list(self._releases)
        if not releases:
            return None
        characters, characters_p95 = _spread([float(count) for count, _ in releases])
        milliseconds, milliseconds_p95 = _spread([seconds * 1000 for _, seconds in releases])
        return Held(len(releases), characters, characters_p95, milliseconds, milliseconds_p95)


def _spread(values: list[float]) -> tuple[float, float]:
    """The median and the 95th percentile."""
    if len(values) == 1:
        return values[0], values[0]
    steps = quantiles(values, n=20, method="inclusive")
    return steps[9], steps[18]
