"""Tokens are told only for text that was released as it is, whatever part of a character or a tag they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from playground.catalog.catalog import Catalog
from playground.chat.completions import CompletionRequest
from playground.chat.run import Run
from playground.chat.token_trail import TokenTrail
from playground.domain import Blocked, Failed, Message, SamplingParams, TextDelta, TokenScore, TokenScores
from playground.engines.contract import TokenLogprob
from playground.moderation.contract import Screened
from tests.chat.conftest import OUTPUT_ONLY, House
from tests.engines.spelling import SpellingEngine

SIZES = (1, 2, 3, 5, 7)
Build = Callable[..., House]


def ask(house: House, text: str, **params: int) -> tuple[Run, list[TokenScore]]:
    turns = (Message("user", text),)
    chosen = SamplingParams(**{"logprobs": 3, **params})
    (run,) = house.chat.complete(CompletionRequest("anna", "echo", turns, chosen))
    assert run.wait(60)
    scores = [event for event in run.events() if isinstance(event, TokenScores)]
    return run, [token for event in scores for token in event.tokens]


@pytest.mark.parametrize("size", SIZES)
def test_tokens_are_the_text_in_any_cut(build_house: Build, size: int) -> None:
    text = "Xin chào! Đây là một câu, và đây là 🦊 nữa.\nIt ends here"
    run, tokens = ask(build_house(SpellingEngine(size)), text)
    assert b"".join(token.data for token in tokens).decode() == run.snapshot().text == text
    assert all(token.logprob == -0.5 for token in tokens)
    assert {text for token in tokens for text, _ in token.top} >= {"other", " and"}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("offset", range(5))
def test_no_token_of_what_is_blocked_is_told(build_house: Build, size: int, offset: int) -> None:
    start = "S" + "o" * offset + " it is what it is, and nothing else.\n"
    house = build_house(SpellingEngine(size, "motherfucker"), OUTPUT_ONLY)
    run, tokens = ask(house, start + "zqx you motherfucker zqx, and on it goes.\nMore.")
    assert isinstance(run.snapshot().end, Blocked)
    told = b"".join(token.data for token in tokens).decode("utf-8", "ignore")
    shown = run.snapshot().text
    assert start.startswith(shown)
    assert shown.startswith(told)
    assert len(told) > len(shown) - size > 0
    assert {text for token in tokens for text, _ in token.top} <= {token.text for token in tokens} | {" and"}


@pytest.mark.parametrize("size", SIZES)
def test_no_token_of_what_is_covered_is_told(build_house: Build, size: int) -> None:
    house = build_house(SpellingEngine(size), OUTPUT_ONLY)
    run, tokens = ask(house, "Please write to zoe.quinn@zq.example about it, will you?\nThank you.")
    told = b"".join(token.data for token in tokens).decode()
    assert "zoe" not in run.snapshot().text
    assert not [part for part in ("zo", "oe", "qu", "ui", "@", "zq") if part in told.replace("quite", "")]
    assert told.startswith("Please write "[: len("Please write ") - size])
    assert told.endswith("Thank you.")


@pytest.mark.parametrize("size", SIZES)
def test_thinking_and_its_tags_have_no_tokens(build_house: Build, size: int) -> None:
    spec = replace(Catalog.load().get("echo"), reasoning_tags=("<think>", "</think>"))
    house = build_house(SpellingEngine(size), catalog=Catalog([spec]))
    run, tokens = ask(house, "<think>Hmm, hmm.</think>\n\nThe answer is this. And that.")
    said = run.snapshot().text
    told = b"".join(token.data for token in tokens).decode()
    assert said == "The answer is this. And that."
    assert said.endswith(told)
    assert len(told) > len(said) - size


def test_stop_texts_are_not_told(build_house: Build) -> None:
    """An engine that is ahead with its tokens: what never became text is not told."""
    trail_tokens = [TokenLogprob(1, part, -1.0) for part in ("One ", "two ", "STOP")]
    trail = TokenTrail()
    trail.write("One two ", trail_tokens)
    trail.place(0, "One two ")
    trail.settle(8)
    assert [released.token.text for released in trail.release(Screened("One two "), 0)] == ["One ", "two "]


def test_tokens_that_do_not_fit_the_text_are_not_told() -> None:
    trail = TokenTrail()
    trail.write("Hello there", [TokenLogprob(1, part, -1.0) for part in ("Hello", "?", " there")])
    trail.place(0, "Hello there")
    trail.settle(11)
    assert [released.token.text for released in trail.release(Screened("Hello there"), 0)] == ["Hello"]


def test_a_piece_that_is_what_its_tokens_say_is_followed_again() -> None:
    trail = TokenTrail()
    pieces = [("One ", ["One "]), ("🦊", ["?"]), (" and", [" an"]), (" two", [" two"]), (" three", [" th", "ree"])]
    for text, tokens in pieces:
        trail.write(text, [TokenLogprob(-1, token, -1.0) for token in tokens])
    said = "".join(text for text, _ in pieces)
    trail.place(0, said)
    trail.settle(len(said))
    found = trail.release(Screened(said), 0)
    assert [said[one.start : one.end] for one in found] == ["One ", " two", " th", "ree"]


def test_places_are_those_of_what_was_released() -> None:
    trail, said, shown = TokenTrail(), "Ask zoe or me", "Ask [name removed] or me"
    trail.write(said, [TokenLogprob(-1, token, -1.0) for token in ("Ask", " z", "oe", " or", " me")])
    trail.place(0, said)
    trail.settle(len(said))
    found = trail.release(Screened(shown), 0)
    assert [(shown[one.start : one.end], said[: one.written]) for one in found] == [
        ("Ask", ""),
        (" or", "Ask zoe"),
        (" me", "Ask zoe or"),
    ]


def test_a_model_that_cannot_tell_says_so(build_house: Build) -> None:
    run, tokens = ask(build_house(), "hello")
    end = run.snapshot().end
    assert isinstance(end, Failed)
    assert (end.code, tokens) == ("invalid_request", [])
    assert "cannot tell log-probabilities" in end.message


def test_alternatives_are_left_out_once_screening_them_takes_too_long(
    build_house: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("playground.chat.masking.SCREENING_SECONDS", 0.0)
    run, tokens = ask(build_house(SpellingEngine(3)), "Hello there.")
    assert [[text for text, _ in token.top] for token in tokens] == [[token.text] for token in tokens]
    assert any(isinstance(event, TextDelta) for event in run.events())
