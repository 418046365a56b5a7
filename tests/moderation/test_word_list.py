"""What is a listed word and what is not, in both languages."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.errors import PolicyError
from playground.moderation.lexicon import LISTS, load_lexicon, trie_pattern
from playground.moderation.word_list import WordListDetector

DETECTOR = WordListDetector([load_lexicon(path) for path in sorted(LISTS.glob("*.toml"))])


def found(text: str) -> set[tuple[str, str]]:
    return {(finding.category, text[slice(*finding.span)]) for finding in DETECTOR.scan(text)}


@pytest.mark.parametrize(
    ("text", "category", "words"),
    [
        ("what the fuck", "profanity", "fuck"),
        ("FUCKING hell", "profanity", "FUCKING"),
        ("f.u.c.k this", "profanity", "f.u.c.k"),
        ("f-u-c-k", "profanity", "f-u-c-k"),
        ("so f u c k it", "profanity", "f u c k"),
        ("f\nu\nc\nk", "profanity", "f\nu\nc\nk"),
        ("f. u. c. k.", "profanity", "f. u. c. k"),
        ("fuuuuuck", "profanity", "fuuuuuck"),
        ("shiiiiit", "profanity", "shiiiiit"),
        ("sh1t", "profanity", "sh1t"),
        ("$h1t", "profanity", "$h1t"),
        ("a$$hole", "profanity", "a$$hole"),
        ("b!tch", "profanity", "b!tch"),
        ("f*ck", "profanity", "f*ck"),
        ("f**k", "profanity", "f**k"),
        ("sh*t happens", "profanity", "sh*t"),
        ("fu\u200bck", "profanity", "fu\u200bck"),
        ("ｆｕｃｋ", "profanity", "ｆｕｃｋ"),
        ("fück", "profanity", "fück"),
        ("fuсk", "profanity", "fuсk"),
        ("(fuck)", "profanity", "fuck"),
        ("piece  of\nshit", "profanity", "piece  of\nshit"),
        ("you n1gger", "slur", "n1gger"),
        ("Heil Hitler!", "slur", "Heil Hitler"),
        ("kill yourself", "abuse", "kill yourself"),
        ("I'll kill you", "abuse", "I'll kill you"),
        ("I’ll kill you", "abuse", "I’ll kill you"),
        ("child porn", "sexual", "child porn"),
        ("địt mẹ mày", "profanity", "địt mẹ"),
        ("ĐỊT MẸ", "profanity", "ĐỊT MẸ"),
        ("đm mày", "profanity", "đm"),
        ("vcl luôn", "profanity", "vcl"),
        ("l ồ n", "profanity", "l ồ n"),
        ("đ.m", "profanity", "đ.m"),
        ("buồn vl", "profanity", "buồn vl"),
        ("thằng chó đẻ", "abuse", "chó đẻ"),
        ("dm mày", "profanity", "dm mày"),
        ("bọn mọi đen", "slur", "mọi đen"),
        ("tao giết mày", "abuse", "tao giết mày"),
        ("phim sex trẻ em", "sexual", "phim sex trẻ em"),
    ],
)
def test_listed(text: str, category: str, words: str) -> None:
    assert (category, words) in found(text)
    decomposed = unicodedata.normalize("NFD", text)
    assert (category, unicodedata.normalize("NFD", words)) in found(decomposed)


@pytest.mark.parametrize(
    "text",
    [
        "Scunthorpe, Penistone and Essex",
        "assess the class of assassins in a passage",
        "a cocktail for the shiitake mushroom, Dickens and Hancock",
        "push it to the limit, fit as a fiddle",
        "analysis of the document's title",
        "the shuttlecock, a peacock and a cockpit",
        "I bought a pen. It is new. Push. It works.",
        "list a, b, c, d and x y z",
        "DM me on the forum, VL is volume level",
        "grape, therapist, drapes",
        "2*3*4 and a*b and **bold** text",
        "kill the process, then kill it again; you die once",
        "class Foo: def bar(self) -> str: return 'assert'",
        "du lịch, dù, đủ, đu đưa, giáo dục",
        "các bạn, cao, cô ấy, cậu, cứ, cúm",
        "lớn, lòn, lon nước ngọt, lợn",
        "dịt dàng, đít chai",
        "ngủ ngon, người, nguyên nhân",
        "dm cho mình nhé, mình làm việc làm (vl)",
        "mẹ và bố, con chó nhà tôi rất ngoan",
        "chết tiệt là một từ nhẹ",
        "Hòa bình, hoà thuận, thủy và thuỷ",
    ],
)
def test_harmless(text: str) -> None:
    assert not found(text)
    assert not found(unicodedata.normalize("NFD", text))


def test_the_finding_says_which_list() -> None:
    english = DETECTOR.scan("oh fuck")[0]
    vietnamese = DETECTOR.scan("đéo hiểu")[0]
    assert (english.explanation, vietnamese.explanation) == ("word_list:en", "word_list:vi")
    assert english.version == DETECTOR.version


def test_mild_words_score_lower_than_strong_ones() -> None:
    def score(text: str) -> float:
        return max(finding.score for finding in DETECTOR.scan(text))

    assert score("damn") < score("shit") < score("fuck") < score("nigger")


@given(st.text())
def test_spans_are_valid_whatever_the_text(text: str) -> None:
    for finding in DETECTOR.scan(text):
        assert 0 <= finding.span[0] < finding.span[1] <= len(text)
    assert 0 <= DETECTOR.unsettled(text) <= min(len(text), DETECTOR.reach)


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("This is done. ", 0),
        ("the end ", 0),
        ("fu", 2),
        ("you f.", 2),
        ("kill ", 5),
        ("piece of ", 9),
        ("go a ", 2),
        ("i hope you ", 11),
    ],
)
def test_what_may_still_go_on_is_held(text: str, held: int) -> None:
    assert DETECTOR.unsettled(text) == held


def test_every_entry_finds_itself_and_is_held_while_it_is_written() -> None:
    for path in LISTS.glob("*.toml"):
        for text, entry in load_lexicon(path).entries.items():
            assert any(category == entry.category for category, _ in found(f"so, {text}."))
            for end in range(1, len(text)):
                assert DETECTOR.unsettled(f"So, {text[:end]}") >= len(text[:end].rstrip())


def test_a_trie_matches_what_its_words_match() -> None:
    assert trie_pattern([]) == "(?!)"
    assert trie_pattern(["ab", "abc", "b"]) == "(?:ab(?:c)?|b)"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("language = 'en'\n", "no entry"),
        ("language = 'en'\ncolour = 1\n", "unknown key colour"),
        ("[[group]]\ncategory = 'x'\nscore = 0.5\nwords = ['a']\n", "language"),
        ("language = 'en'\n[[group]]\nscore = 0.5\nwords = ['a']\n", "category"),
        ("language = 'en'\n[[group]]\ncategory = 'slur'\nscore = 2\nwords = ['a']\n", "score is 2"),
        ("language = 'en'\n[[group]]\ncategory = 'slur'\nscore = 1\nwords = ['a+b']\n", "letters and digits"),
        ("language = 'en'\n[[group]]\ncategory = 'slur'\nscore = 1\nword = ['a']\n", "unknown key word"),
        ("language = ", "cannot be read"),
    ],
)
def test_a_bad_list_is_refused_by_name(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(PolicyError, match=message):
        load_lexicon(path)
