"""Detectors for tests of what is around them: a classifier that counts words, and every way to fail."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

from playground.domain import Finding
from playground.errors import DetectorUnavailable
from playground.moderation.contract import Scope

BAD = frozenset({"bad", "awful", "xấu"})


class CountingClassifier:
    """A real, tiny classifier: the score grows with the listed words, to 1 for two of them. It takes batches."""

    name = "counting"
    version = "1"
    reach = 0
    scope: Scope = "unit"
    prompt = True

    def scan(self, text: str) -> list[Finding]:
        words = text.lower().split()
        score = min(1.0, sum(word.strip(".,!?") in BAD for word in words) / min(2, len(words))) if words else 0.0
        return [Finding("toxicity", score, (0, len(text)), self.name, self.version)] if words else []

    def scan_batch(self, texts: Sequence[str]) -> list[list[Finding]]:
        return [self.scan(text) for text in texts]

    def unsettled(self, text: str) -> int:
        return 0


class FaultyDetector:
    """Fails in the way it is told to, from the second call on if `late`: the first text is found harmless."""

    version = "1"
    reach = 0
    scope: Scope = "span"

    def __init__(self, fault: str, *, late: bool = False) -> None:
        self.name = "faulty"
        self._fault = fault
        self._harmless = 1 if late else 0
        self.released = threading.Event()

    def scan(self, text: str) -> list[Finding]:
        if self._harmless:
            self._harmless -= 1
            return []
        return self._fail(text)

    def _fail(self, text: str) -> list[Finding]:
        match self._fault:
            case "unavailable":
                raise DetectorUnavailable("it cannot")
            case "raises":
                raise ZeroDivisionError(text)
            case "hangs":
                self.released.wait(60)
                return []
            case "nan":
                return [Finding("toxicity", math.nan, (0, len(text)), self.name, self.version)]
            case "beyond_one":
                return [Finding("toxicity", 1.5, (0, len(text)), self.name, self.version)]
            case "unknown_category":
                return [Finding("gibberish", 0.5, (0, len(text)), self.name, self.version)]
            case "outside":
                return [Finding("toxicity", 0.5, (0, len(text) + 1), self.name, self.version)]
            case _:
                return ["nonsense"]  # type: ignore[list-item]

    def unsettled(self, text: str) -> int:
        return 0


FAULTS = ("unavailable", "raises", "hangs", "nan", "beyond_one", "unknown_category", "outside", "nonsense")
