"""Own rules: what they find, what is refused and why, that an edit counts at once and a bad one does not."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
import regex

from playground.errors import DetectorUnavailable, PolicyError
from playground.moderation.moderator import build_moderator, equip
from playground.moderation.normaliser import normalise
from playground.moderation.own_rules import OwnRulesDetector
from playground.moderation.patterns import LONGEST, Pattern, compile_pattern
from playground.moderation.policy import load_policy
from playground.moderation.registry import DETECTORS
from playground.moderation.rules_file import load_rules

RULES = r"""
[[group]]
category = "abuse"
score = 0.9
words = ["zorgle", "blue banana"]

[[group]]
language = "vi"
category = "slur"
score = 0.8
words = ["cà rốt"]

[[pattern]]
name = "staff"
category = "id_number"
score = 0.9
pattern = 'acme-\d{4,6}\b'
ignore_case = true

[[pattern]]
name = "tag"
category = "harm"
score = 1.0
pattern = '<x\s+[^>]*>'
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "rules.toml"
    file.write_text(RULES, encoding="utf-8")
    return file


def save(path: Path, text: str) -> None:
    """Write as an editor does: a new file in the place of the old one, with a time of its own."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    fresh = path.with_suffix(".new")
    fresh.write_text(text, encoding="utf-8")
    os.utime(fresh, ns=(before + 1_000_000, before + 1_000_000))
    fresh.replace(path)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("you zorgle", [("abuse", "zorgle", "own_rules:en")]),
        ("you z0rgle, you zörgle", [("abuse", "z0rgle", "own_rules:en"), ("abuse", "zörgle", "own_rules:en")]),
        ("a blue  banana", [("abuse", "blue  banana", "own_rules:en")]),
        ("một củ cà rốt", [("slur", "cà rốt", "own_rules:vi")]),
        ("see ACME-12345.", [("id_number", "ACME-12345", "own_rules:staff")]),
        ("see ＡCME\u200b-12345", [("id_number", "ＡCME\u200b-12345", "own_rules:staff")]),
        ("<x a>", [("harm", "<x a>", "own_rules:tag")]),
        ("một củ ca rot, zorgles, ACME-123, ACME-1234567, <xa>", []),
        ("", []),
    ],
)
def test_what_is_found(path: Path, text: str, found: list[tuple[str, str, str]]) -> None:
    findings = sorted(OwnRulesDetector(path).scan(text), key=lambda finding: finding.span)
    assert [(f.category, text[slice(*f.span)], f.explanation) for f in findings] == found
    assert {f.detector for f in findings} <= {"own_rules"}


def test_a_pattern_in_other_letters_is_searched_as_written() -> None:
    rule = compile_pattern("word", "harm", 1.0, "привет", ignore_case=True)
    assert rule.as_given
    assert list(rule.spans("о, Привет!", normalise("о, Привет!"))) == [(3, 9)]


def test_of_a_match_without_end_the_bounded_part_counts() -> None:
    rule = compile_pattern("long", "harm", 1.0, "a.*b", ignore_case=False)
    text = "a" + "x" * 500 + "b" + "x" * 20_000 + "b" + "y" * 9000 + "a-b"
    spans = list(rule.spans(text, normalise(text)))
    assert spans == [(0, 502), (len(text) - 3, len(text))]
    dots = "." * 30_000
    assert all(
        b - a <= LONGEST
        for a, b in compile_pattern("d", "harm", 1.0, r"\.+", ignore_case=False).spans(dots, normalise(dots))
    )


@pytest.mark.parametrize(
    "pattern", [r"(a+)+$", r"(a|aa)+$", r"(\w+\s?)+$", r"(x+x+)+y", r"^(([a-z])+.)+[A-Z]([a-z])+$", r"(.*?,){20}P"]
)
def test_patterns_that_backtrack_without_end_are_refused(pattern: str) -> None:
    with pytest.raises(PolicyError, match=r"backtracks"):
        compile_pattern("bad", "harm", 1.0, pattern, ignore_case=False)


@pytest.mark.parametrize(
    "pattern",
    [r"\bproject\s+falcon\b", r"\d{3}-\d{2}-\d{4}", r"[\w.]+@corp\.example", r"(?:very\s+){0,5}bad", r"(?<!no )deal"],
)
def test_ordinary_patterns_are_accepted(pattern: str) -> None:
    assert compile_pattern("good", "harm", 1.0, pattern, ignore_case=True).compiled.pattern == pattern


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("[[pattern]]\ncategory = 'harm'\nscore = 1\npattern = '(a+)+$'", ["[[pattern]] 1 is refused", "backtracks"]),
        ("[[pattern]]\nname = 'p'\ncategory = 'harm'\nscore = 1\npattern = '('", ["[[pattern]] p", "not a regular"]),
        ("[[pattern]]\ncategory = 'harm'\nscore = 1\npattern = 'a*'", ["empty text"]),
        ("[[pattern]]\ncategory = 'harm'\nscore = 1\npattern = '(?=a)'", ["empty text"]),
        ("[[pattern]]\ncategory = 'harm'\nscore = 1", ["pattern is missing"]),
        ("[[pattern]]\ncategory = 'hram'\nscore = 1\npattern = 'a'", ["'hram'", "profanity"]),
        ("[[pattern]]\ncategory = 'harm'\nscore = 2\npattern = 'a'", ["score is 2"]),
        ("[[pattern]]\ncategory = 'harm'\nscore = 1\npatern = 'a'", ["patern", "ignore_case"]),
        (f"[[pattern]]\ncategory = 'harm'\nscore = 1\npattern = '{'a' * 2001}'", ["longer than 2000"]),
        ("[[group]]\ncategory = 'hram'\nscore = 1\nwords = ['a']", ["[[group]] 1", "'hram'"]),
        ("[[group]]\ncategory = 'harm'\nscore = 1\nwords = ['?!']", ["not made of words"]),
        ("[[group]]\ncategory = 'harm'\nscore = 1\nwrds = ['a']", ["wrds"]),
        ("groups = 1", ["unknown key groups"]),
        ("[[pattern]", ["cannot be read"]),
    ],
)  # fmt: skip
def test_a_refused_file_says_why(path: Path, rule: str, words: list[str]) -> None:
    path.write_text(rule, encoding="utf-8")
    with pytest.raises(PolicyError) as caught:
        load_rules(path)
    assert "rules.toml" in str(caught.value)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_an_edit_is_in_force_at_once(path: Path) -> None:
    detector = OwnRulesDetector(path)
    first = detector.version
    assert not detector.scan("a wibble")
    save(path, "[[group]]\ncategory = 'abuse'\nscore = 1\nwords = ['wibble']\n")
    assert [f.category for f in detector.scan("a wibble and a zorgle")] == ["abuse"]
    assert detector.version != first
    assert detector.status.words == 1
    assert detector.status.patterns == 0


@pytest.mark.parametrize(
    "broken", ["[[pattern]", "[[pattern]]\ncategory = 'harm'\nscore = 1\npattern = '(a+)+$'", None]
)
def test_a_broken_edit_leaves_the_last_good_rules_in_force_and_says_so(
    path: Path, broken: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    detector = OwnRulesDetector(path)
    version = detector.version
    if broken is None:
        path.unlink()
    else:
        save(path, broken)
    with caplog.at_level(logging.ERROR):
        assert detector.scan("you zorgle")
        assert detector.scan("you zorgle")
    assert detector.version == version
    assert "rules.toml" in detector.status.error
    assert [record.message.count("stay in force") for record in caplog.records] == [1]
    save(path, RULES + "\n")
    assert detector.scan("you zorgle")
    assert detector.status.error == ""
    assert detector.version != version


def test_no_file_means_no_rules_until_there_is_one(tmp_path: Path) -> None:
    detector = OwnRulesDetector(tmp_path / "rules.toml")
    assert detector.scan("you zorgle") == []
    assert detector.unsettled("you zorgle") == 0
    save(tmp_path / "rules.toml", RULES)
    assert detector.scan("you zorgle")


def test_a_bad_file_at_the_start_is_refused(path: Path) -> None:
    path.write_text("[[pattern]", encoding="utf-8")
    with pytest.raises(PolicyError):
        equip(load_policy("standard", tuple(DETECTORS)), {**DETECTORS, "own_rules": lambda: OwnRulesDetector(path)})


def test_a_search_that_takes_too_long_makes_the_detector_unavailable_and_blocks(path: Path) -> None:
    """A pattern that slipped through: put in by hand, past the trial that refuses it."""
    detector = OwnRulesDetector(path)
    slow = Pattern("slow", "harm", 1.0, regex.compile(r"(a+)+$"), as_given=False)
    detector._rules = type(detector._rules)(patterns=(slow,), version="x")
    text = "a" * 3000 + "!"
    with pytest.raises(DetectorUnavailable, match="pattern slow took longer"):
        detector.scan(text)
    moderator = equip(load_policy("standard", tuple(DETECTORS)), {**DETECTORS, "own_rules": lambda: detector})
    screened = moderator.check_input(text)
    assert screened.blocked
    assert screened.verdict is not None
    assert screened.verdict.unavailable
    assert screened.verdict.degraded == ("own_rules",)


@pytest.mark.parametrize(
    "text",
    [
        "A harmless start, you know. See acme-123456, yes. And a harmless end of it, as always.",
        "A harmless start, you know.\n<x one, two. three\nfour>\nAnd more of it, as always.",
        "First a line of text.\nThen zorgle, and something else. And a blue\nbanana in the end, as always.",
        "aaaa <x b <x c> acme-1234 acme-12345678 zorgles <x never closed. And then, well, much more text follows.",
    ],
)
@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_a_stream_is_decided_as_the_whole(path: Path, text: str, size: int) -> None:
    detector = OwnRulesDetector(path)
    moderator = equip(load_policy("standard", tuple(DETECTORS)), {**DETECTORS, "own_rules": lambda: detector})
    guard = moderator.guard()
    out = "".join(guard.feed(text[at : at + size]).text for at in range(0, len(text), size)) + guard.finish().text
    for finding in detector.scan(text):
        word = text[slice(*finding.span)]
        assert word not in out
        assert text[: finding.span[0] + 1] not in out or finding.category == "id_number"


PATTERNS = [r"ab+c", r"a.{0,5}z|b", r"cat\b", r"foo(?=bar)", r"(?:xy)+", r"\d{3,6}", r"a[^>]*>"]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_match_of_the_whole_begins_in_what_is_settled_at_any_cut(pattern: str) -> None:
    rule = compile_pattern("p", "harm", 1.0, pattern, ignore_case=False)
    text = "ab abbc a..b..z b cat cats foobar foo xyxyx 12 1234567 a b>c a <abb"
    whole = set(rule.spans(text, normalise(text)))
    for cut in range(1, len(text)):
        head = text[:cut]
        growing = rule.growing(head, normalise(head))
        now = set(rule.spans(head, normalise(head)))
        # A match that is there may still grow at its end: the guard sees it again, from its beginning, and covers it.
        settled = {start: end for start, end in now if start < growing}
        assert settled.keys() == {start for start, _ in whole if start < growing}, (cut, head)
        assert all((start, end) in whole or end < dict(whole)[start] for start, end in settled.items())


def test_the_shipped_standard_policy_runs_own_rules_both_ways() -> None:
    assert "own_rules" in load_policy("standard", tuple(DETECTORS)).detectors["input"]
    assert build_moderator("standard").check_input("zorgle").verdict is None
