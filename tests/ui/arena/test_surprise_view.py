"""Cross-surprise as it is drawn: numbers people read, and nothing of what the gate masks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from playground.arena.contract import Surprise, SurpriseView
from playground.chat.token_views import AlternativeView, TokenView
from playground.domain import Failed, Language
from playground.ui.arena.side_view import Pulse, SideCard
from playground.ui.arena.surprise_view import Surprises, surprises
from playground.ui.live_view import Live
from playground.ui.words import Words, load_words

TOKENS = (TokenView("Good", "text", 0.5, 1.0), TokenView(" day", "text", 0.125, 2.0), TokenView("!", "text", 1.0, 0.0))
OWN = Surprise("pip", TOKENS, {}, 1.0, 0.4, 1.5)
OTHER = Surprise("pip-fp32", TOKENS, {1: AlternativeView(" night", "text", 7, 0.6, 0.6)}, 2.0, 1.2, 1.5)
SILENT = Surprise("echo", trouble=Failed("no_probabilities", "Echo shows no probabilities. Choose another model."))
COSTS = {"en": 1.25, "vi": 1.5}


def card(at: int, name: str) -> SideCard:
    pulse = Pulse(answer="", running=False, live=Live(), figures=(), outcome="")
    return SideCard(at, "ABCD"[at], name, "", "", (), (), 0, pulse)


def drawn(words: Words, other: Surprise = OTHER) -> Surprises:
    view = SurpriseView(((OWN, other), ()), (COSTS, {}))
    return surprises(view, (card(0, "Pip"), card(1, "Pop")), words)


def test_a_token_has_a_tint_and_what_would_rather_have_stood_there(words: Words) -> None:
    own, other = drawn(words).answers[0].readings
    assert (own.own, other.own) == (True, False)
    assert [token.level for token in other.tokens] == [2, 3, 0]
    assert [token.percent for token in other.tokens] == ["50%", "12%", "100%"]
    assert [token.bits for token in other.tokens] == ["1.0 bits", "3.0 bits", "0.0 bits"]
    assert other.tokens[0].rather is None
    assert other.tokens[1].rather is not None
    assert (other.tokens[1].rather.text, other.tokens[1].rather.percent) == (" night", "60%")


def test_where_they_part_is_said_in_a_sentence(words: Words) -> None:
    own, other = drawn(words).answers[0].readings
    assert other.parting == 1
    sentence = "They part ways at token 2: Pop gives “day” 12% and would rather have written “night” (60%)."
    assert other.said == (sentence, "Per character, Pop finds it 3.0 times as surprising as Pip does.")
    assert own.said == ("Pip took its likeliest token every time.",)
    assert [(name, value) for name, value, _ in other.figures] == [
        ("Surprise per character", "1.20 bits"),
        ("Surprise per token", "2.00 bits"),
        ("Tokens per word here", "1.50"),
    ]


@pytest.mark.parametrize(
    ("rather", "part"),
    [
        (AlternativeView("", "text", None, 0.6, 0.6), "something that the safety check hides (60%)"),
        (AlternativeView("<|im_end|>", "control", 3, 0.6, 0.6), "would rather have ended here (60%)"),
    ],
)
def test_what_is_masked_or_an_end_is_said_so(rather: AlternativeView, part: str, words: Words) -> None:
    (_, other) = drawn(words, replace(OTHER, rather={1: rather})).answers[0].readings
    assert part in other.said[0]
    assert "im_end" not in other.said[0]


def test_a_side_without_probabilities_or_without_an_answer_says_so(words: Words) -> None:
    shown = drawn(words, SILENT)
    assert shown.answers[0].readings[1].trouble == "Echo shows no probabilities. Choose another model."
    assert shown.answers[0].readings[1].tokens == ()
    assert shown.answers[1].readings == ()
    assert [cost.tokens for cost in shown.costs] == [("1.25", "1.50"), ()]
    assert drawn(load_words("vi"), SILENT).answers[0].readings[1].trouble.startswith("Mô hình")


def test_a_long_answer_says_how_far_it_was_read(words: Words) -> None:
    (_, other) = drawn(words, replace(OTHER, whole=False)).answers[0].readings
    assert other.said[-1] == "Only the first 3 tokens were read."


def test_what_was_not_checked_in_time_is_said_to_be_missing(words: Words) -> None:
    (_, other) = drawn(words, replace(OTHER, rather_whole=False)).answers[0].readings
    assert "is told up to token 2 only" in other.said[-1]
    assert "token 2" in drawn(load_words("vi"), replace(OTHER, rather_whole=False)).answers[0].readings[1].said[-1]


def test_no_ratio_is_told_where_the_author_was_sure(words: Words) -> None:
    view = SurpriseView(((replace(OWN, bits_per_character=0.001), OTHER), ()), (COSTS, COSTS))
    shown = surprises(view, (card(0, "Pip"), card(1, "Pop")), words)
    assert len(shown.answers[0].readings[1].said) == 1


def test_vietnamese_numbers(words: Words) -> None:
    (_, other) = drawn(load_words("vi")).answers[0].readings
    assert other.figures[0][1] == "1,20 bit"
    assert "token 2" in other.said[0]


@pytest.mark.parametrize("language", ["en", "vi"])
def test_what_the_reader_did_not_see_is_said(language: Language) -> None:
    words = load_words(language)
    covered = replace(OTHER, tokens=(*TOKENS, TokenView("[e-mail removed]", "covered", None, None)), thoughtless=True)
    said = drawn(words, covered).answers[0].readings[1].said
    assert said[-2:] == (words("surprise.thoughtless", reader="Pop"), words("surprise.covered"))
    assert words("surprise.covered") not in drawn(words).answers[0].readings[1].said
