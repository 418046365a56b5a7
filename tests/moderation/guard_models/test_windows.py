"""Long texts in parts: nothing left out, nothing too long, neighbours overlap."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from playground.moderation.guard_models.windows import OVERLAP, cut


def words(text: str) -> int:
    return len(text.split())


@given(st.text("ab \n", max_size=3000), st.integers(1, 400))
@settings(max_examples=150, deadline=None)
def test_the_parts_cover_the_text_and_fit(text: str, room: int) -> None:
    spans = cut(text, room, words)
    assert spans[0][0] == 0
    assert spans[-1][1] == len(text)
    assert all(words(text[start:end]) <= room for start, end in spans)
    for (start, end), (next_start, _) in pairwise(spans):
        assert start < next_start <= end


def test_a_text_that_fits_is_one_part() -> None:
    assert cut("one two three", 3, words) == [(0, 13)]
    assert cut("", 3, words) == [(0, 0)]


def test_neighbours_share_what_a_phrase_takes() -> None:
    spans = cut("word " * 2000, 200, words)
    assert len(spans) > 10
    assert all(end - next_start == OVERLAP for (_, end), (next_start, _) in pairwise(spans))


def test_a_character_that_alone_does_not_fit_ends_the_search() -> None:
    assert cut("abc", 1, lambda text: 5 * len(text)) == [(0, 1), (1, 2), (2, 3)]
