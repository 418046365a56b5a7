"""The leaderboard as it is drawn."""

from __future__ import annotations

import inspect
import random
from typing import Any

import pytest

from playground.arena.leaderboard import build_leaderboard
from playground.arena.posterior import infer_strengths
from playground.errors import InvalidRequest
from playground.ui.arena.board_view import BoardView, Choice, board_view, kind_of_row, read_choice
from playground.ui.words import LANGUAGES, Words, load_words
from tests.ui.arena.memory import MemoryBook

MODELS = ("weak", "middle", "strong")


def cast(book: MemoryBook, count: int, mode: str = "blind", **more: Any) -> None:
    generator = random.Random(7)
    for at in range(count):
        first, second = generator.sample(range(3), 2)
        better = "model_a" if generator.random() < 1 / (1 + 4.0 ** (second - first)) else "model_b"
        row = {
            "model_a": MODELS[first],
            "model_b": MODELS[second],
            "winner": better,
            "language": "vi" if at % 3 else "en",
        }
        book.kept[f"{mode} {at}"] = row | {"mode": mode} | more


@pytest.fixture
def book() -> MemoryBook:
    book = MemoryBook()
    cast(book, 240)
    return book


def drawn(book: MemoryBook, words: Words, **choice: Any) -> BoardView:
    return board_view(book, Choice(**choice), str.upper, words)


def test_rows_matrix_and_sentences(book: MemoryBook, words: Words) -> None:
    board = drawn(book, words)
    assert [row.name for row in board.rows] == ["STRONG", "MIDDLE", "WEAK"]
    assert all(row.lower < row.rating < row.upper and len(row.texts) == len(board.head) for row in board.rows)
    assert board.summary == "240 votes on 3 models, 0 of them ties."
    assert [cell is None for cell in board.matrix[0]] == [True, False, False]
    won = board.matrix[0][2]
    assert won is not None
    assert won.share is not None
    assert won.share > 0.5
    assert board.sentences[0].startswith("STRONG is first")
    assert "of these votes" in board.sentences[1]


def test_it_says_whose_votes_these_are(words: Words) -> None:
    book = MemoryBook()
    cast(book, 40, session="one")
    assert any("from one person" in sentence for sentence in drawn(book, words).sentences)
    cast(book, 40, "duel", session="other")
    assert "2 people voted, as far as browser sessions tell people apart." in drawn(book, words).sentences


def test_the_method_is_told_with_the_numbers_it_uses() -> None:
    asked = inspect.signature(infer_strengths).parameters
    assert inspect.signature(build_leaderboard).parameters["rounds"].default == asked["rounds"].default
    for language in LANGUAGES:
        words = load_words(language)
        assert f" {words.number(asked['draws'].default)} " in words("board.method_interval")
        assert words("board.method_people").count(f" {asked['rounds'].default} ") == 2
        for source in ("MacKay", "Rubin", "Owen", "Wedderburn", "Tang", "Davidson", "Bradley"):
            assert source in words("board.sources")
            assert any(source in words(f"board.method_{part}") for part in ("strength", "ties", "interval", "people"))


def test_an_empty_table_invites(words: Words) -> None:
    for kind in ("blind", "named", "imported"):
        board = drawn(MemoryBook(), words, kind=kind)
        assert (board.rows, board.invite, bool(board.note)) == ((), True, True)


def test_a_choice_without_votes_is_told(book: MemoryBook, words: Words) -> None:
    board = drawn(book, words, language="fr")
    assert (board.rows, board.invite) == ((), False)
    assert "too few" in board.note


def test_switches_list_what_there_is(book: MemoryBook, words: Words) -> None:
    options = drawn(book, words).options
    assert [option.value for option in options["language"]] == ["", "en", "vi"]
    assert [option.value for option in options["kind"]] == ["blind", "named"]
    cast(book, 9, "blind", imported=True)
    assert [option.value for option in drawn(book, words).options["kind"]] == ["blind", "named", "imported"]


def test_fewer_votes_in_one_language(book: MemoryBook, words: Words) -> None:
    assert drawn(book, words, language="en").summary.startswith("80 votes")
    assert drawn(book, load_words("vi")).summary.startswith("240 phiếu")


def test_votes_left_out_are_told(book: MemoryBook, words: Words) -> None:
    row = {"model_a": "weak", "model_b": "weak", "winner": "tie", "language": "en", "mode": "blind"}
    book.kept["alone"] = row
    board = drawn(book, words)
    assert board.summary.startswith("240 votes")
    assert "Votes left out because both sides were the same model: 1." in board.sentences


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"mode": "blind"}, "blind"),
        ({"mode": "duel"}, "blind"),
        ({"mode": "named"}, "named"),
        ({"mode": "blind", "imported": True}, "imported"),
        ({"mode": "blind", "tainted": True}, ""),
    ],
)
def test_tainted_battles_belong_to_no_kind(row: dict[str, Any], kind: str) -> None:
    assert kind_of_row(row) == kind


@pytest.mark.parametrize(
    "table",
    [{}, {"kind": "blind", "ties": "never"}, {"kind": 3, "ties": "apart"}, {"kind": "x" * 200, "ties": "apart"}],
)
def test_a_bad_choice_is_refused(table: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        read_choice(table)


def test_a_choice_is_read() -> None:
    choice = read_choice({"kind": "named", "ties": "half", "styles": True, "language": "vi"})
    assert choice == Choice("named", "half", styles=True, language="vi")
