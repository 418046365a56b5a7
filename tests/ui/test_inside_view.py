"""What the panel draws, in numbers people read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from playground.chat.token_views import AlternativeView, AnswerView, PlaceView, StepView, TokenView
from playground.domain import SamplingParams
from playground.errors import InvalidRequest
from playground.ui import inside_view
from playground.ui.chat_view import ChatView
from playground.ui.inside_view import Alternative, Token
from playground.ui.words import Words, load_words


@pytest.mark.parametrize(
    ("value", "en", "vi"),
    [
        (0, "0%", "0%"),
        (0.0004, "<0.1%", "<0,1%"),
        (0.034, "3.4%", "3,4%"),
        (0.0999, "10%", "10%"),
        (0.5, "50%", "50%"),
        (0.9871, "98.7%", "98,7%"),
        (0.9996, "99.9%", "99,9%"),
        (1.0, "100%", "100%"),
    ],
)
def test_a_probability_never_reads_as_more_certain_than_it_is(value: float, en: str, vi: str) -> None:
    assert inside_view.percent(value, load_words("en")) == en
    assert inside_view.percent(value, load_words("vi")) == vi


def test_tokens_have_a_level_and_their_numbers(words: Words) -> None:
    views = [
        *(TokenView("a", "text", probability, 1.25) for probability in (0.95, 0.6, 0.31, 0.1, 0.02)),
        TokenView("[e-mail removed]", "covered", None, None),
        TokenView("", "end", None, 0.0),
    ]
    tokens = inside_view.tokens_data(AnswerView(tuple(views)), words)["tokens"]
    assert isinstance(tokens, list)
    assert [token.level for token in tokens] == [0, 1, 2, 3, 4, None, None]
    assert tokens[1] == Token("a", "text", 1, "60%", "1.2 bits")
    assert tokens[5] == Token("[e-mail removed]", "covered", None, "", "")


def test_how_undecided_a_model_was_is_not_made_up(words: Words) -> None:
    view = AnswerView((TokenView("a", "text", 0.9, None), TokenView("b", "untold", None, None)), told=True)
    data = inside_view.tokens_data(view, words)
    assert data["tokens"] == [Token("a", "text", 0, "90%", ""), Token("b", "untold", None, "", "")]
    assert data["told"] is True


CHOSEN = AlternativeView("a", "text", 7, 0.6, 0.8)
OTHER = AlternativeView("b", "text", 8, 0.3, 0.2)
MASKED = AlternativeView("", "text", None, 0.1, 0.0)


def test_a_place_marks_what_stood_there_and_tells_nothing_of_what_is_masked(words: Words) -> None:
    token = TokenView("a", "text", 0.6, 1.0)
    data = inside_view.place_data(PlaceView(3, token, (CHOSEN, OTHER, MASKED)), words)
    rows = data["alternatives"]
    assert isinstance(rows, list)
    assert [row.stood for row in rows] == [True, False, False]
    assert rows[2] == Alternative("", "text", None, "10%", 0.1, "0%", 0.0)
    assert data["place"] == 3
    twins = (replace(CHOSEN, token_id=-1), replace(CHOSEN, token_id=-1), OTHER)  # as a server tells parts of characters
    rows = inside_view.place_data(PlaceView(3, token, twins), words)["alternatives"]
    assert [row.stood for row in rows] == [True, False, False]  # type: ignore[attr-defined]


def test_a_step_marks_what_is_drawn_and_shows_it_even_if_it_is_unlikely(words: Words) -> None:
    params = SamplingParams(seed=4, top_k=9)
    step = StepView("so", ("s", "o"), (CHOSEN, OTHER), OTHER, 1.5, 1234)
    data = inside_view.step_data(step, params, words)
    assert [row.drawn for row in data["candidates"]] == [False, True]  # type: ignore[attr-defined]
    assert (data["bits"], data["kept"]) == ("1.5 bits", "1,234")
    assert data["params"] == {"temperature": 0.7, "top_k": 9, "top_p": 0.95, "min_p": 0.0, "seed": 4}
    rare = inside_view.step_data(replace(step, drawn=MASKED), params, words)
    assert [row.drawn for row in rare["candidates"]] == [False, False, True]  # type: ignore[attr-defined]
    nothing = inside_view.step_data(StepView("so", (), stopped=True), params, words)
    assert (nothing["candidates"], nothing["drawn"], nothing["stopped"]) == ([], None, True)


def test_a_repetition_penalty_is_told_where_it_changes_something(words: Words) -> None:
    step = StepView("so", ("s", "o"), (CHOSEN, OTHER), OTHER, 1.5, 1234)
    assert inside_view.step_data(step, SamplingParams(), words)["penalty"] == ""
    told = inside_view.step_data(step, SamplingParams(repetition_penalty=1.3), words)["penalty"]
    assert "repetition penalty of this conversation (1.30)" in str(told)
    said = inside_view.step_data(step, SamplingParams(repetition_penalty=1.3), load_words("vi"))["penalty"]
    assert "1,30" in str(said)


def test_a_step_always_has_a_seed() -> None:
    base = SamplingParams(temperature=0.3)
    first = inside_view.step_params({}, base, SamplingParams())
    assert first.temperature == 0.3
    assert first.seed is not None
    assert inside_view.step_params({"seed": 5}, base, SamplingParams(seed=5)).seed == 5


def test_without_a_conversation_there_is_nothing_to_look_at(words: Words) -> None:
    with pytest.raises(InvalidRequest):
        inside_view.subject(ChatView("0" * 32, "echo"), words, "f" * 32)
