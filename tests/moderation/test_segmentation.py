from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.moderation.segmentation import UNITS, unit_ends

LONG = "This is a rather long clause, and this is the second one of them. Here is one more sentence.\nAnd a line."


def units(text: str, name: str) -> list[str]:
    ends, _ = unit_ends(text, UNITS[name])
    return [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("clause", ["This is a rather long clause, ", "and this is the second one of them. ",
                    "Here is one more sentence.\n", "And a line."]),
        ("sentence", ["This is a rather long clause, and this is the second one of them. ",
                      "Here is one more sentence.\n", "And a line."]),
        ("line", [LONG[:-11], "And a line."]),
        ("paragraph", [LONG]),
        ("answer", [LONG]),
    ],
)  # fmt: skip
def test_units(name: str, expected: list[str]) -> None:
    assert units(LONG, name) == expected


def test_numbers_and_short_pieces_do_not_make_units() -> None:
    assert units("3.14, 2.72, 1.41, and 1,000.5 too", "clause") == ["3.14, 2.72, 1.41, and 1,000.5 too"]


def test_a_text_without_an_end_is_cut_at_the_greatest_length() -> None:
    assert [len(unit) for unit in units("a" * 3000, "clause")] == [2048, 952]
    assert [len(unit) for unit in units("a" * 3000, "answer")] == [3000]


@given(st.text(alphabet=st.sampled_from("ab .,\n\"'。…"), max_size=400), st.sampled_from(sorted(UNITS)))
def test_a_prefix_has_the_same_units(text: str, name: str) -> None:
    unit = UNITS[name]
    whole, _ = unit_ends(text, unit)
    for end in range(0, len(text), 7):
        part, _ = unit_ends(text[:end], unit)
        assert part == [place for place in whole if place <= end][: len(part)]
        assert len(part) >= len([place for place in whole if place < end])
