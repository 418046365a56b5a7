"""Attacks on the prompt: taking the instructions away, getting at what is hidden, freeing the model of its rules.

Cues are looked for in every reading of the text (see `disguises`). Those that stand within a few sentences of each
other add up; cues in a sentence that talks about such attacks, or quoted there, count less. A classifier model for the
same question is another detector with the same two categories.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter

from playground.domain import Finding
from playground.moderation.attack_cues import CATEGORIES, Cue, CueSet
from playground.moderation.contract import Scope
from playground.moderation.disguises import Reading, readings
from playground.moderation.normaliser import fold_accents
from playground.moderation.openings import PatternIndex

# A finding below this score is not worth reporting.
_LOWEST = 0.3
# Cues add up over so many sentences, and as many characters at most.
_SENTENCES = 10
_CHARACTERS = 2500
# A text that takes a disguise to be found is an attack a little more surely.
_DISGUISED = 0.4
_END = re.compile(r"[.!?…][\"'”’»)\]*_`]{0,4}\s|\n")
_TOPIC = re.compile(
    r"(?:prompt|code|command|instruction) ?-?injections?|injection (?:attacks?|attempts?)|attack(?:s|ers?|ing)?\b"
    r"|adversar\w+|\bdefend\w*"
    r"|jailbreak(?:ing|s)? (?:is|are|attacks?|attempts?|techniques?|methods?|research)"
    r"|(?:phrase|prompt|input|message|text|instruction|sentence|string|word)s?,? (?:such as|like|that says?|called)"
    r"|(?:what|how) (?:does|do|is|are) .{0,80}(?:\bmeans?\b|\bmeant\b|translated)|how (?:do|would) (?:you|i) say"
    r"|\btan cong|\bnghia la|\bco nghia|\bcum tu|\bphong (?:chong|tranh)"
)
_QUOTED = re.compile(r"[\"“”«»`]([^\"“”«»`\n]{3,200})[\"“”«»`]|(?<!\w)'([^'\n]{3,200})'(?!\w)")


@dataclass(frozen=True, slots=True)
class _Sighting:
    start: int
    end: int
    name: str
    category: str
    weight: float


class PromptAttackDetector:
    """Finds attacks on the prompt in English and Vietnamese.

    A finding's category is "prompt_injection" or "jailbreak", whichever its cues say more of, its span reaches from the
    first to the last of them, and its explanation is "attack:" and the name of the strongest, or "disguised:" and how
    the text was disguised.
    """

    name = "prompt_attacks"
    reach = 1024
    prompt = True
    scope: Scope = "span"

    def __init__(self, cues: CueSet) -> None:
        self._indexes = tuple(_index(cues, folded=folded) for folded in (False, True))
        self.version = cues.version

    def scan(self, text: str) -> list[Finding]:
        """Every stretch of text whose cues add up to a score of 0.3 or more."""
        found: dict[tuple[int, int], Finding] = {}
        for reading in readings(text):
            for finding in self._read(reading):
                kept = found.get(finding.span)
                if kept is None or kept.score < finding.score:
                    found[finding.span] = finding
        return list(found.values())

    def unsettled(self, text: str) -> int:
        """The sentence that is still going on."""
        tail = text[-self.reach :]
        ends = [match.end() for match in _END.finditer(tail)]
        return len(tail) - (ends[-1] if ends else 0)

    def _read(self, reading: Reading) -> Iterator[Finding]:
        taken: list[tuple[int, int]] = []  # in order, apart from each other
        groups = ((_score(group), group) for group in _groups(self._sightings(reading.text), reading.text))
        for score, group in sorted(groups, key=itemgetter(0), reverse=True):
            start, end = group[0].start, max(sighting.end for sighting in group)
            place = bisect_right(taken, (start, start))
            near = taken[max(0, place - 1) : place + 1]
            if score < _LOWEST or any(start < last and first < end for first, last in near):
                continue
            if not any(reading.disguised(sighting.start, sighting.end) for sighting in group):
                continue
            taken.insert(place, (start, end))
            yield self._finding(reading, group, 1 - (1 - score) * (1 - _DISGUISED) if reading.disguise else score)

    def _finding(self, reading: Reading, group: list[_Sighting], score: float) -> Finding:
        strongest = max(group, key=lambda sighting: sighting.weight)
        explanation = f"disguised:{reading.disguise}" if reading.disguise else f"attack:{strongest.name}"
        span = reading.place(group[0].start, max(sighting.end for sighting in group))
        strength = {category: _score([s for s in group if s.category == category]) for category in CATEGORIES}
        category = max(CATEGORIES, key=strength.__getitem__)
        return Finding(category, score, span, self.name, self.version, explanation)

    def _sightings(self, text: str) -> Iterator[_Sighting]:
        folded = fold_accents(text)
        mentions: _Mentions | None = None
        for (cues, index), shown in zip(self._indexes, (text, folded), strict=True):
            for number, match in index.matches(shown):
                mentions = mentions or _Mentions(folded)
                cue = cues[number]
                weight = cue.weight * mentions.share(*match.span())
                yield _Sighting(match.start(), match.end(), cue.name, cue.category, weight)


def _index(cues: CueSet, *, folded: bool) -> tuple[tuple[Cue, ...], PatternIndex]:
    """All patterns that are matched with or without accents, and which cue each of them belongs to."""
    pairs = [(cue, pattern) for cue in cues.cues if cue.folded is folded for pattern in cue.patterns]
    return tuple(cue for cue, _ in pairs), PatternIndex([pattern for _, pattern in pairs])


class _Mentions:
    """Tells a cue that is used from one that is talked about."""

    def __init__(self, folded: str) -> None:
        self._text = folded
        self._ends = _ends(folded)
        self._quotes = [match.span() for match in _QUOTED.finditer(folded)]
        self._topics: dict[int, bool] = {}

    def share(self, start: int, end: int) -> float:
        """How much of a cue's weight counts: all, or a part where its sentence talks about attacks or quotes it."""
        quote = bisect_right(self._quotes, (start, len(self._text))) - 1
        quoted = quote >= 0 and end <= self._quotes[quote][1]
        if self._topic(bisect_right(self._ends, start)):
            return 0.3 if quoted else 0.6
        return 1.0

    def _topic(self, number: int) -> bool:
        """Whether the sentence of that number talks about attacks; each is searched once."""
        if number not in self._topics:
            first = self._ends[number - 1] if number else 0
            last = self._ends[number] if number < len(self._ends) else len(self._text)
            self._topics[number] = _TOPIC.search(self._text, first, last) is not None
        return self._topics[number]


def _ends(text: str) -> list[int]:
    return [match.end() for match in _END.finditer(text)]


def _groups(sightings: Iterable[_Sighting], text: str) -> Iterator[list[_Sighting]]:
    """For every sighting, it and those that follow within the reach of a group."""
    ordered = sorted(sightings, key=lambda sighting: sighting.start)
    ends = _ends(text) if ordered else []
    sentences = [bisect_right(ends, sighting.start) for sighting in ordered]
    last = 0
    for first, sighting in enumerate(ordered):
        while (
            last < len(ordered)
            and sentences[last] - sentences[first] < _SENTENCES
            and ordered[last].end - sighting.start <= _CHARACTERS
        ):
            last += 1
        yield ordered[first : max(last, first + 1)]


def _score(group: list[_Sighting]) -> float:
    """How sure the cues of a group make us together: 1 - product of (1 - weight), each cue counted once."""
    best: dict[str, float] = {}
    for sighting in group:
        best[sighting.name] = max(best.get(sighting.name, 0.0), sighting.weight)
    doubt = 1.0
    for weight in best.values():
        doubt *= 1 - weight
    return 1 - doubt
