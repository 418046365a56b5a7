"""Regular expressions of an operator: accepted only if they cannot stall the gate, and searched within a time limit.

The `regex` module measures the limit in processor time. A match is at most LONGEST characters: of a longer one, the
longest match within that many counts. So what a stream holds back is bounded, and so is the cost of a search.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import regex

from playground.errors import DetectorUnavailable, PolicyError
from playground.moderation.normaliser import Normalised, normalise

LONGEST = 1024
_WINDOW = 4096
_SECONDS = 0.2  # for one search in one window
_PROBE_SECONDS = 0.4
_LONGEST_PATTERN = 2000
_NOT_LITERAL = re.compile(r"\\.|\{[^}]*\}|\(\?[^):]*[:)=!]|[^\w]")
_PROBE_SIZE = _WINDOW + LONGEST


@dataclass(frozen=True, slots=True)
class Pattern:
    """One accepted rule. `as_given` says that it is searched in the text as it was given: it is written with letters
    that the normaliser would replace.
    """

    name: str
    category: str
    score: float
    compiled: regex.Pattern[str]
    as_given: bool

    def spans(self, text: str, view: Normalised) -> Iterator[tuple[int, int]]:
        """Where it matches, as spans of `text`. Raises DetectorUnavailable when the search takes too long."""
        shown = text if self.as_given else view.text
        for start, end in self._places(shown):
            yield (start, end) if self.as_given else view.span(start, end)

    def growing(self, text: str, view: Normalised) -> int:
        """Where in `text` a match begins that more text could complete or lengthen; the end of it if there is none.

        Raises DetectorUnavailable when the search takes too long.
        """
        shown = text if self.as_given else view.text
        place = self._growing(shown)
        if place == len(shown):
            return len(text)
        return place if self.as_given else view.span(place, len(shown))[0]

    def _places(self, shown: str) -> Iterator[tuple[int, int]]:
        place = 0
        for stop in range(_WINDOW, len(shown) + _WINDOW, _WINDOW):
            place = max(place, stop - _WINDOW)
            end = min(len(shown), stop + LONGEST)
            while place < stop:
                match = self._run(self.compiled.search, shown, place, end)
                if match is None or match.start() >= stop:
                    break
                if match.end() - match.start() > LONGEST:
                    match = self._run(self.compiled.match, shown, match.start(), match.start() + LONGEST) or match
                start, last = match.span()
                if start < last <= start + LONGEST:
                    yield start, last
                place = max(last if last <= start + LONGEST else start, start + 1)

    def _growing(self, shown: str) -> int:
        begin = max(0, len(shown) - LONGEST)
        match = self._run(self.compiled.search, shown, begin, len(shown), partial=True)
        if match is None:
            return len(shown)
        if match.partial:
            return int(match.start())
        # A whole match hides a partial one from the search: look at every place.
        for place in range(begin, len(shown)):
            match = self._run(self.compiled.match, shown, place, len(shown), partial=True)
            if match and (match.partial or match.end() == len(shown)):
                return place
        return len(shown)

    def _run(
        self, search: regex.Pattern[str], shown: str, start: int, end: int, *, partial: bool = False
    ) -> regex.Match[str]:
        try:
            return search(shown, start, end, partial=partial, timeout=_SECONDS)
        except TimeoutError as error:
            raise DetectorUnavailable(
                f"The pattern {self.name} took longer than {_SECONDS:g} s on one text."
            ) from error


def compile_pattern(name: str, category: str, score: float, pattern: str, *, ignore_case: bool) -> Pattern:
    """Compile a rule and try it on texts that make bad patterns backtrack without end.

    Raises PolicyError with the reason why it is refused.
    """
    written = unicodedata.normalize("NFC", pattern)
    if len(written) > _LONGEST_PATTERN:
        raise PolicyError(f"it is longer than {_LONGEST_PATTERN} characters; make several patterns of it.")
    try:
        compiled = regex.compile(written, regex.IGNORECASE if ignore_case else 0)
    except (regex.error, OverflowError, RecursionError) as error:
        raise PolicyError(f"it is not a regular expression: {error}.") from error
    rule = Pattern(name, category, score, compiled, as_given=normalise(written).text != written)
    _refuse_slow(rule, written)
    return rule


def _refuse_slow(rule: Pattern, written: str) -> None:
    for text in ("", *_probes(written)):
        try:
            match = rule.compiled.search(text, timeout=_PROBE_SECONDS)
        except TimeoutError as error:
            raise PolicyError(
                f"it backtracks without end on some texts (as on {text[:4]!r} repeated); "
                "avoid repetitions inside repetitions such as (a+)+."
            ) from error
        if match and not match[0]:
            raise PolicyError("it matches the empty text; ask for at least one character.")


def _probes(written: str) -> Iterator[str]:
    """Long texts that almost match: what the pattern is made of, repeated, and then something else."""
    literal = _NOT_LITERAL.sub("", written)
    letters = list(dict.fromkeys(literal))[:8]
    marks = [char for char in ",;:/@#=<>&%~_-'\"!" if char in written]
    pairs = [f"a{mark}" for mark in marks]
    seeds = dict.fromkeys((*letters, *marks, *pairs, "a", "0", " ", ".", "a ", "a1", "aA", literal[:40] or "x"))
    for seed in seeds:
        body = (seed * (_PROBE_SIZE // len(seed) + 1))[:_PROBE_SIZE]
        for tail in ("", "!", "\n" + "".join(letters)):
            yield body + tail
