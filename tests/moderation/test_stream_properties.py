"""What holds for every text: the outcome does not depend on how it was cut, and harmless text passes untouched."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from playground.moderation.moderator import build_moderator
from tests.moderation.streams import Outcome, in_pieces, moderator, stream

FRAGMENTS = [
    "fuck", "f.u.c.k", "f u c k", "shit", "sh1t", "đm", "địt mẹ", "kill", "yourself", "you", "piece", "of", "niggers",
    "a.b@example.com", "lan@mail.vn", "0912 345 678", "+84", "912345678", "4111 1111 1111 1111", "CCCD", "001099012345",
    "sk-abcdEFGH1234567890abcd", "-----BEGIN PRIVATE KEY-----", "MIIEabc", "-----END PRIVATE KEY-----", "api_key =",
    "![a](http://x.y/z.png)", "![", "](", "<img src='http://a'>", "[r]: http://a.b/c", "```", "```\n", "\n", "\n\n",
    ". ", ", ", "! ", "; ", " ", " ", "-", "_", "*", "@", "…", "hello", "Xin chào", "các bạn", "x = 1", "a", "I",
    "\u200b", "\u0301", "ｆ", "🙂", "1", "23",
]  # fmt: skip
texts = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=4)), max_size=40).map("".join)
sizes = st.integers(min_value=1, max_value=7)
many = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def outcome(text: str, size: int, policy: str = "standard") -> Outcome:
    return stream(moderator(policy).guard(), in_pieces(text, size))


@many
@given(texts, sizes)
@pytest.mark.parametrize("policy", ["standard", "strict"])
def test_the_outcome_does_not_depend_on_the_pieces(policy: str, text: str, size: int) -> None:
    whole = outcome(text, max(1, len(text)), policy)
    pieces = outcome(text, size, policy)
    assert pieces.text == whole.text
    assert pieces.blocked == whole.blocked


@many
@given(st.text(max_size=300), sizes)
def test_whatever_comes_nothing_breaks_and_nothing_is_added(text: str, size: int) -> None:
    result = outcome(text, size)
    if not result.blocked and not result.covered:
        assert result.text == text


@many
@given(
    st.lists(st.sampled_from(["word", " ", ". ", ", ", "\n", "xin", "chào", "đường", "x1", "(", ")", "é", "🙂", "\t"])),
    sizes,
)
def test_harmless_text_is_released_verbatim(words: list[str], size: int) -> None:
    text = "".join(words)
    assert outcome(text, size).text == text


def test_lone_surrogates_and_long_heaps_pass() -> None:
    text = "\ud800a\udfff" + "\n" * 10_000 + "e" + "\u0301" * 5_000 + "\u202e" * 100 + "\x00" * 100
    assert outcome(text, 5).text == text
    build_moderator("standard").check_input(text)
