"""Addresses and numbers parted by line ends or marks are found, streamed or not; columns and lists are left alone."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from playground.moderation.line_breaks import without_breaks
from playground.moderation.normaliser import normalise
from playground.moderation.personal_data import PersonalDataDetector
from tests.moderation.streams import every_split, in_pieces, moderator, stream

DETECTOR = PersonalDataDetector()
BROKEN = [
    ("email", "an@exa\xadmple.com"),
    ("email", "an\u200b@example.com"),
    ("email", "an@long-\nexample.com"),
    ("email", "an@\nexample.com"),
    ("email", "an@example.\ncom"),
    ("email", "an@mail.example.\n> com"),
    ("email", "**an**@example.com"),
    ("email", "an@`example`.com"),
    ("email", "<b>an</b>@example.com"),
    ("email", "an@exam<!-- no -->ple.com"),
    ("email", "an&#64;example.com"),
    ("email", "an&commat;example&period;com"),
    ("email", r"an\@example.com"),
    ("phone", "0912 345\n678"),
    ("phone", "0912\n345 678"),
    ("phone", "0912-345-\n678"),
    ("phone", "0912 345\r\n> 678"),
    ("phone", "+84\n912 345 678"),
    ("phone", "(024) 3825\n1234"),
    ("phone", "**0912** 345 678"),
    ("phone", "0912 `345` 678"),
    ("phone", "09\u00ad12\u200b 345 678"),
    ("card", "4111 1111\n1111 1111"),
    ("card", "4111-1111-\n1111-1111"),
    ("card", "**4111** 1111 <i>1111</i> 1111"),
    ("card", "4111&nbsp;1111 1111 1111".replace("&nbsp;", "&#32;")),
]
SIGNS = ["0912", "345", "678", "4111 1111", "1111 1111", " ", "-", "\n", "\r\n", "> ", "an", "@", "example", ".", "com",
         "*", "**", "`", "<b>", "<", "&#64;", "(", "+84", "x", "\xad"]  # fmt: skip
pieces_of_numbers = st.lists(st.sampled_from(SIGNS), max_size=16).map("".join)


@pytest.mark.parametrize(("category", "text"), BROKEN)
def test_found_as_one(category: str, text: str) -> None:
    (finding,) = DETECTOR.scan(f"Ask {text} there")
    assert finding.category == category
    covered = f"Ask {text} there"[slice(*finding.span)]
    assert sum(char.isalnum() for char in covered) >= 0.6 * sum(char.isalnum() for char in text)


@pytest.mark.parametrize(
    "text",
    [
        "an@exa\nmple.com",  # could be two things
        "write to user@localhost.\nThen wait",
        "he is @home-\nwork is far",
        "@an\nexample.com is a site",
        "0912\n345\n678\n901",  # a column
        "0912 345\n678 901\n234 567",  # a table
        "4111 1111\n1111 1111\n1111 1111",
        "41111111\n11111111",  # no groups
        "1. 0912\n2. 345 678",
        "- 0912 345\n- 678",
        "| 4111 | 1111 | 1111 | 1111 |",
        "0912*345*678",
        "in 2024\n12 people came, 345 678 left",
    ],
)
def test_left_as_they_are(text: str) -> None:
    assert not DETECTOR.scan(text)


def test_where_nothing_is_broken_there_is_no_other_reading() -> None:
    for text in ("no line end 0912 345 678", "In 2024\nall was well", ""):
        assert without_breaks(normalise(text)) is None


@pytest.mark.parametrize(("category", "text"), BROKEN)
def test_nothing_of_it_leaves_a_stream(category: str, text: str) -> None:
    whole = f"This comes first, and it is harmless. Ask {text} there. More text follows here."
    (finding,) = DETECTOR.scan(whole)
    start, end = finding.span
    for pieces in every_split(whole, 5):
        result = stream(moderator().guard(), pieces)
        assert result.text.startswith(whole[:start] + "[")
        assert result.text.endswith("]" + whole[end:])
        assert result.covered == (category,)


@settings(max_examples=200, deadline=None)
@given(pieces_of_numbers, st.integers(min_value=1, max_value=7))
def test_the_outcome_does_not_depend_on_the_pieces(text: str, size: int) -> None:
    whole = stream(moderator().guard(), [text])
    pieces = stream(moderator().guard(), in_pieces(text, size))
    assert (whole.text, whole.covered) == (pieces.text, pieces.covered)


@settings(max_examples=400, deadline=None)
@given(pieces_of_numbers, pieces_of_numbers)
@example("0912**", "09120912")
def test_what_is_settled_is_found_whatever_follows(text: str, more: str) -> None:
    settled = len(text) - DETECTOR.unsettled(text)
    for finding in DETECTOR.scan(text + more):
        if finding.span[0] < settled:
            assert finding.span in {found.span for found in DETECTOR.scan(text)}


def test_a_long_text_of_nothing_but_breaks_is_read_in_linear_time() -> None:
    for sign in SIGNS:
        DETECTOR.scan((sign + "\n") * (100_000 // len(sign)))
        DETECTOR.unsettled((sign + "\n") * 1000)
