"""The book of what servers told about tokens: bounded, in memory, and gone with the conversation."""

from __future__ import annotations

import pytest

from playground.chat import trail_book
from playground.chat.token_trail import ReleasedToken
from playground.chat.trail_book import (
    LONGEST_TEXT,
    MOST_ALTERNATIVES,
    MOST_TOKENS,
    MOST_TRAILS,
    Trail,
    TrailBook,
    TrailDraft,
)
from playground.engines.contract import TokenLogprob


def released(at: int, *others: str) -> ReleasedToken:
    top = tuple((-1, text, -2.0) for text in others)
    return ReleasedToken(at, at + 1, at, TokenLogprob(-1, "x", -1.0, top))


def trail(text: str = "x", *others: str) -> Trail:
    draft = TrailDraft()
    draft.add([released(at, *others) for at in range(len(text))])
    return draft.finish(text, heard=True)


def test_a_trail_is_that_of_its_message_and_its_text() -> None:
    book, kept = TrailBook(), trail("xx", "y")
    book.keep("m", "c", kept)
    found = book.find("m", "xx")
    assert found is not None
    assert found.tokens == kept.tokens
    assert book.find("m", "another text") is None
    assert book.find("n", "xx") is None


def test_of_a_long_answer_the_beginning_is_kept() -> None:
    kept = trail("x" * (MOST_TOKENS + 1))
    assert (len(kept.tokens), kept.whole) == (MOST_TOKENS, False)
    assert trail("x" * MOST_TOKENS).whole


def test_a_server_s_alternatives_are_bounded() -> None:
    (token,) = trail("x", "", "y" * (LONGEST_TEXT + 1), *map(str, range(100))).tokens
    assert [text for text, _ in token.top] == [str(at) for at in range(MOST_ALTERNATIVES - 2)]


def test_the_oldest_make_room() -> None:
    book = TrailBook()
    for number in range(MOST_TRAILS + 1):
        book.keep(str(number), "c", trail())
    assert book.find("0", "x") is None
    assert book.find("1", "x") is not None
    assert book.find(str(MOST_TRAILS), "x") is not None


def test_all_together_take_so_much_memory_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    one = trail("x" * 100, "y" * 50)
    monkeypatch.setattr(trail_book, "MOST_BYTES", 3 * one.size)
    book = TrailBook()
    for number in range(5):
        book.keep(str(number), "c", one)
        book.keep(str(number), "c", one)  # kept again, it counts once
    kept = [number for number in range(5) if book.find(str(number), "x" * 100)]
    assert kept == [2, 3, 4]
    book.keep("large", "c", trail("x" * 1000, "y" * 50))
    assert book.find("large", "x" * 1000) is None


def test_what_is_put_away_is_forgotten_and_stays_so() -> None:
    book = TrailBook()
    book.keep("m", "gone", trail())
    book.keep("n", "stays", trail())
    book.forget("gone")
    assert book.find("m", "x") is None
    assert book.find("n", "x") is not None
    book.keep("late", "gone", trail())  # the answer was being written
    assert book.find("late", "x") is None
    book.welcome("gone")
    book.keep("again", "gone", trail())
    assert book.find("again", "x") is not None


def test_a_copied_message_has_its_trail() -> None:
    book = TrailBook()
    book.keep("m", "one", trail())
    book.copy("m", "copy", "two")
    book.copy("unknown", "other", "two")
    book.forget("one")
    assert book.find("copy", "x") is not None
    assert book.find("other", "x") is None
