from __future__ import annotations

import itertools
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.moderation.normaliser import fold_accents, normalise, tone_variants


@pytest.mark.parametrize(
    ("given_text", "seen"),
    [
        ("plain words", "plain words"),
        ("ｆｕｌｌ ｗｉｄｔｈ　１２", "full width 12"),
        ("f\u200bu\u2060c\ufeffk", "fuck"),
        ("fu\u202eck", "fuck"),
        ("fu\x00ck", "fuck"),
        ("fuсk", "fuck"),  # Cyrillic с
        ("ϝuck", "fuck"),  # Greek digamma
        ("𝐟𝓾𝕔𝚔", "fuck"),
        ("ⓕⓤⓒⓚ", "fuck"),
        ("🅵🆄🅲🅺", "fuck"),
        ("f\u0336u\u0336c\u0336k\u0336", "fuck"),
        ("Ðường", "đường"),
        ("tab\tand\nnewline\r", "tab\tand\nnewline\r"),
        ("các bạn, đường phố", "các bạn, đường phố"),
        ("\ud800", "\ud800"),
    ],
)
def test_what_a_reader_sees(given_text: str, seen: str) -> None:
    assert normalise(given_text).text == seen


def test_decomposed_vietnamese_is_composed_and_keeps_its_marks() -> None:
    text = "Việt Nam, đường, ngữ pháp, quyển sổ, nghiêng ngả"
    view = normalise(unicodedata.normalize("NFD", text))
    assert view.text == text


@given(st.text())
def test_every_span_lies_in_the_text_as_given(text: str) -> None:
    view = normalise(text)
    for start in range(len(view.text)):
        left, right = view.span(start, start + 1)
        assert 0 <= left < right <= len(text)
    if view.text:
        assert view.span(0, len(view.text))[1] <= len(text)


@given(st.lists(st.sampled_from(["a", "e\u0302\u0323", "\u200b", "đ", "ｘ", "\u0301" * 12, "🙂", "\x07"])))
def test_spans_follow_one_another(parts: list[str]) -> None:
    text = "".join(parts)
    view = normalise(text)
    ends = [view.span(place, place + 1) for place in range(len(view.text))]
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(ends))


def test_a_span_covers_the_marks_and_invisible_characters_behind_its_last_letter() -> None:
    text = "a f\u0336u\u0336c\u0336k\u0336\u200b b"
    view = normalise(text)
    start = view.text.index("fuck")
    left, right = view.span(start, start + 4)
    assert text[left:right] == "f\u0336u\u0336c\u0336k\u0336\u200b"


def test_lower_case_keeps_every_position() -> None:
    for code in range(0x3000):
        char = normalise(chr(code)).text
        assert len(char.lower()) == len(char)


@pytest.mark.parametrize(
    ("word", "variants"),
    [("hòa", {"hòa", "hoà"}), ("thuỷ", {"thuỷ", "thủy"}), ("khỏe", {"khỏe", "khoẻ"}), ("toàn", {"toàn"})],
)
def test_tone_marks_in_both_places(word: str, variants: set[str]) -> None:
    assert tone_variants(word) == variants


def test_accents_are_folded_one_to_one() -> None:
    assert fold_accents("fück Đồng phở") == "fuck Đong pho"
    assert fold_accents("đồng") == "dong"
