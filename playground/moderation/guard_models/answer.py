"""What a guard model answered, read by its row: a level, the categories it names, and how sure its first token is.

An answer in any other form is no answer: DetectorUnavailable, never "safe". Nothing of an answer but the row's own
words goes any further, because a model's answer may repeat what it was asked about.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from playground.errors import DetectorUnavailable
from playground.moderation.guard_models.rows import Form

_MOST_LOGPROB = 0.01  # log-probabilities are at most 0, give or take rounding


@dataclass(frozen=True, slots=True)
class Answer:
    """The level, the answered categories that the row knows, whether there were others, and (label, word) notes."""

    level: str
    named: tuple[str, ...] = ()
    others: bool = False
    notes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Leaning:
    """What the first token says: the most probable level, the severity 0 to 1, and whether it is the whole word."""

    level: str
    severity: float
    whole: bool


def read_answer(form: Form, known: Sequence[str], text: str) -> Answer:
    """The answer in `text`; `known` are the categories that may be answered.

    Raises DetectorUnavailable unless the first line is a level.
    """
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    said = lines[0].casefold() if lines else ""
    level = next((level for level in form.levels if level.casefold() == said), None)
    if level is None:
        raise _formless()
    named, others = _categories(form, known, lines[1:]) if form.levels[level] > 0 else ((), False)
    return Answer(level, named, others, tuple(_notes(form, lines[1:])))


def read_first_token(form: Form, alternatives: Sequence[tuple[str, float]]) -> Leaning:
    """Which level the answer's first token begins, from (text, natural-log probability), most probable first.

    The severity is the mean of the levels' severities, weighted with their share of the probability that falls on any
    of them. Raises DetectorUnavailable when the most probable token begins no level, or a probability is none.
    """
    if any(not math.isfinite(logprob) or logprob > _MOST_LOGPROB for _, logprob in alternatives):
        raise DetectorUnavailable("The guard model's probabilities are no probabilities. Convert the model again.")
    if not alternatives or _begun(form, alternatives[0][0]) is None:
        raise _formless()
    weights = dict.fromkeys(form.levels, 0.0)
    for token, logprob in alternatives:
        level = _begun(form, token)
        if level is not None:
            weights[level] += math.exp(min(logprob, 0.0))
    total = sum(weights.values())
    if total <= 0:
        raise _formless()
    severity = sum(form.levels[level] * weight for level, weight in weights.items()) / total
    likeliest = max(reversed(weights), key=weights.__getitem__)  # of equal ones the worst
    words = {level.casefold() for level in form.levels}
    return Leaning(likeliest, min(severity, 1.0), alternatives[0][0].strip().casefold() in words)


def _begun(form: Form, token: str) -> str | None:
    """The level whose word the token is, or the only one whose word it begins."""
    said = token.strip().casefold()
    begun = [level for level in form.levels if said and level.casefold().startswith(said)]
    return next((level for level in begun if level.casefold() == said), begun[0] if len(begun) == 1 else None)


def _categories(form: Form, known: Sequence[str], lines: Sequence[str]) -> tuple[tuple[str, ...], bool]:
    if form.list_label is None:
        return (), False
    label = form.list_label.casefold()
    listed = next((line[len(label) :] for line in lines if line.casefold().startswith(label)), "")
    said = [item.strip().rstrip(".").casefold() for item in listed.split(",")]
    named = {name.casefold(): name for name in known}
    return tuple(dict.fromkeys(named[item] for item in said if item in named)), any(item not in named for item in said)


def _notes(form: Form, lines: Sequence[str]) -> list[tuple[str, str]]:
    notes = []
    for note in form.notes:
        said = next((line[len(note.label) :].split() for line in lines if line.startswith(note.label)), [])
        if said and said[0] in note.words:
            notes.append((note.label.strip("<>: "), said[0]))
    return notes


def _formless() -> DetectorUnavailable:
    return DetectorUnavailable(
        "The guard model did not answer in its own form. Check that the catalogue's model is the one this guard names."
    )
