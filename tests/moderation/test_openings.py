"""The index finds what every pattern finds by itself, on every text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.moderation.attack_cues import load_cues
from playground.moderation.disguises import readings
from playground.moderation.normaliser import fold_accents
from playground.moderation.openings import PatternIndex, openings
from tests.moderation.test_prompt_attacks import ATTACKS, DISGUISES, HARMLESS

CUES = load_cues().cues
PATTERNS = [pattern for cue in CUES for pattern in cue.patterns]
INDEX = PatternIndex(PATTERNS)
KNOWN = [*(text for _, text in ATTACKS), *HARMLESS, *DISGUISES.values()]
WORDS = sorted({word for text in KNOWN for word in re.findall(r"\w+|\W+", fold_accents(text.lower()))})
KEYS = sorted({key for pattern in PATTERNS for key in openings(pattern) or ()})


def one_by_one(patterns: list[re.Pattern[str]], text: str) -> set[tuple[int, int, int]]:
    return {(number, *match.span()) for number, pattern in enumerate(patterns) for match in pattern.finditer(text)}


def at_once(index: PatternIndex, text: str) -> list[tuple[int, int, int]]:
    return sorted((number, *match.span()) for number, match in index.matches(text))


@pytest.mark.parametrize(
    ("pattern", "begin"),
    [
        ("(?:ignor(?:e|ing)|skip) all", {"ignore", "ignoring", "skip"}),
        ("(?:hay )?noi", {"hay", "noi"}),
        (r"enter\w* mode", {"enter"}),
        ("colou?r", {"colour", "color"}),
        ("(?:ab)+c", {"ab"}),
        ("(?:ab)*c", {"ab", "c"}),
        ("(?<!x)[ab]c", {"ac", "bc"}),
        (r"\[/?inst\]", {"["}),
        ("don.?t", {"don", "dont"}),
        ("re-read", {"re"}),
        ("internationalisation", {"internationa"}),
        ("a?", None),
        (r"\w+ing", None),
        ("[^a]b", None),
        ("(?i)ab", None),
        ("(?i:ab)", None),
    ],
)
def test_how_a_match_can_begin(pattern: str, begin: set[str] | None) -> None:
    assert openings(re.compile(pattern)) == begin


def test_every_cue_but_a_few_says_how_it_begins() -> None:
    assert [pattern.pattern for pattern in PATTERNS if openings(pattern) is None] == []


def test_a_pattern_that_does_not_say_so_is_looked_for_everywhere() -> None:
    patterns = [re.compile(r"\w+ing"), re.compile("(?<!\\w)(?:a|ab|abc) b")]
    text = "abc b, a b, ab b sing ing"
    assert set(at_once(PatternIndex(patterns), text)) == one_by_one(patterns, text)


@pytest.mark.parametrize("text", KNOWN)
def test_known_texts_in_every_reading(text: str) -> None:
    for reading in readings(text):
        for shown in (reading.text, fold_accents(reading.text)):
            found = at_once(INDEX, shown)
            assert len(found) == len(set(found))
            assert set(found) == one_by_one(PATTERNS, shown)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(WORDS), st.sampled_from(KEYS), st.sampled_from([" ", "\n", "é", "_"]))))
def test_texts_made_of_the_words_of_attacks(parts: list[str]) -> None:
    for text in ("".join(parts), " ".join(parts)):
        assert set(at_once(INDEX, text)) == one_by_one(PATTERNS, text)
