from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.moderation.features import ROWS, distinct, feature_homes, feature_rows, read_words, word_codes


def rows(text: str) -> list[int]:
    return sorted(feature_rows(word_codes(text)).tolist())


def shown(text: str) -> str:
    return "".join(map(chr, read_words(text).codes))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", " "),
        ("Hello,  WORLD", " hello world "),
        ("ｆｕ\u200bｃｋ…you!", " fuck you! "),
        ("đi\u0323t", " địt "),
        ("--- \n\t", " "),
        ("a-b_c", " a b c "),
        ("🙂x", " 🙂x "),
    ],
)
def test_words(text: str, words: str) -> None:
    assert shown(text) == words


@pytest.mark.parametrize(
    ("text", "count"),
    # " ab ": 3-grams " ab", "ab ", the 4-gram, one word.    "ab cd" has that twice, and a pair of words.
    [("", 0), ("ab", 4), ("ab cd", 9), ("abc", 3 + 2 + 1 + 1)],
)
def test_how_many_features(text: str, count: int) -> None:
    assert len(rows(text)) == count


def test_features_do_not_depend_on_where_a_word_stands() -> None:
    assert set(rows("alpha beta")) <= set(rows("something else before alpha beta gamma"))
    assert rows("Alpha, beta!?") != rows("Alpha, beta")
    assert rows("ALPHA -- beta") == rows("alpha beta")


def test_word_order_matters_to_pairs_only() -> None:
    forth, back = set(rows("alpha beta")), set(rows("beta alpha"))
    assert len(forth ^ back) == 2


@given(st.text())
def test_rows_and_homes_are_in_range(text: str) -> None:
    words = read_words(text)
    found, homes = feature_rows(words.codes), feature_homes(words.codes)
    assert len(found) == len(homes)
    assert all(0 <= row < ROWS for row in found.tolist())
    assert all(0 <= home < int((words.codes == 32).sum()) - 1 for home in homes.tolist())
    assert words.codes[0] == words.codes[-1] == 32
    assert len(words.codes) == len(words.places)
    assert np.all(np.diff(words.places) > 0)


@given(st.text())
def test_both_ways_to_read_words_agree(text: str) -> None:
    assert np.array_equal(word_codes(text), read_words(text).codes)


@given(st.lists(st.integers(min_value=0, max_value=20)))
def test_distinct(numbers: list[int]) -> None:
    assert distinct(np.array(numbers, dtype=np.int64)).tolist() == sorted(set(numbers))


def test_the_rows_are_those_the_shipped_model_was_trained_with() -> None:
    found = feature_rows(word_codes("Xin chào, I'm f*cking đi\u0323t 🙂 a\u2014b 中文 !"))
    assert hashlib.sha256(found.tobytes()).hexdigest()[:16] == "d84aaa18e006b8a8"
