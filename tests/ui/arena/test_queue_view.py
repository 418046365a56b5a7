"""Grading and the list of batches as plain data, on the real arena; and the list of earlier comparisons."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import get_args

import pytest

from playground.arena.batches import Batch
from playground.arena.contract import Comparison, Mode, Side
from playground.arena.grading import Queue
from playground.arena.service import ArenaService
from playground.catalog.catalog import Catalog
from playground.errors import BadQuestions, Busy, InvalidRequest, NotTheOperator, QuestionFault, UnknownConversation
from playground.services import Services
from playground.storage.duels import Tally
from playground.ui.arena import compare_view, history_view, queue_view
from playground.ui.arena.compare_view import ArenaView
from playground.ui.arena.desk_view import desk_view, sentence_of
from playground.ui.words import Words, load_words
from tests.ui.arena.conftest import OWNER

QUESTIONS = ("What is a token?", "Xin chào bạn", "One more")


@pytest.fixture
def house(services: Services) -> ArenaService:
    return services.arena


@pytest.fixture
def duel(services: Services) -> str:
    """A batch of two models that say the question; the second one is the first by another name."""
    catalog = services.catalog
    catalog.put(replace(catalog.get("echo"), id="parrot", name="Parrot"))
    made = services.arena.duel(QUESTIONS, ("echo", "parrot"))
    made.run(lambda _: None)
    return made.id


def shown(view: ArenaView, services: Services, words: Words) -> dict[str, object]:
    return queue_view.queue_view(view, services.catalog, words)


def pair_of(view: ArenaView) -> str:
    assert view.pair is not None
    return view.pair.comparison.id


def test_a_batch_is_graded_to_its_end(
    view: ArenaView, house: ArenaService, duel: str, services: Services, words: Words
) -> None:
    view = queue_view.entered(view, house.grading, duel)
    assert (view.tab, view.hidden, view.shown) == ("duels", True, view.pair)
    seen = shown(view, services, words)
    assert (seen["phase"], seen["place"], seen["may"], seen["fraction"]) == ("grading", "1 of 3", ("skip",), 0.0)
    assert seen["question"] in QUESTIONS
    first = pair_of(view)
    view = queue_view.graded(view, house, words, "model_a", first)
    assert shown(view, services, words)["place"] == "2 of 3"
    again = queue_view.graded(view, house, words, "model_a", first)  # the same key once more
    assert again == view
    assert queue_view.undone(view, house.grading, first) == view  # meant for another pair: a key pressed twice
    view = queue_view.undone(view, house.grading, pair_of(view))
    assert (pair_of(view), shown(view, services, words)["place"]) == (first, "1 of 3")
    for vote in ("model_a", "tie", "tie (bothbad)"):
        view = queue_view.graded(view, house, words, vote, pair_of(view))  # type: ignore[arg-type]
    told = shown(view, services, words)
    assert (told["phase"], told["may"], told["rest"], told["scores"]) == ("end", ("undo", "reveal"), 0, ())
    assert "3 of 3" in str(told["title"])
    view = queue_view.revealed(view, house.grading)
    told = shown(view, services, words)
    assert (told["may"], len(told["lines"]), len(told["scores"])) == ((), 3, 2)  # type: ignore[arg-type]
    assert {line["vote"] for line in told["lines"]} == {"A is better", "Tie", "Both are bad"}  # type: ignore[attr-defined]
    view = queue_view.looked(view, house, first)
    assert (view.hidden, shown(view, services, words)["phase"]) == (False, "looking")
    view = queue_view.summed_up(view, house.grading)
    assert shown(view, services, words)["phase"] == "end"
    assert compare_view.closed(view).duel == ""


def test_skipping_everything_comes_round_again(view: ArenaView, house: ArenaService, duel: str, words: Words) -> None:
    view = queue_view.entered(view, house.grading, duel)
    first = pair_of(view)
    seen = []
    for _ in QUESTIONS:
        seen.append(pair_of(view))
        view = queue_view.skipped(view, house.grading, words, pair_of(view))
        assert view.notice is None
    assert (len(set(seen)), pair_of(view)) == (3, first)
    for _ in range(2):
        view = queue_view.graded(view, house, words, "tie", pair_of(view))
    view = queue_view.skipped(view, house.grading, words, pair_of(view))
    assert view.notice is not None
    assert view.notice.title == words("duels.only_one")
    assert queue_view.skipped(view, house.grading, words, "f" * 32) == view


def test_a_pair_that_went_to_somebody_else_is_not_lost(
    view: ArenaView, house: ArenaService, duel: str, words: Words
) -> None:
    view = queue_view.entered(view, house.grading, duel)
    gone = pair_of(view)
    house.grading.skip(OWNER, gone)  # as if it had lain there for too long
    taken = {house.grading.next(other, duel) for other in ("b" * 32, "c" * 32)}
    assert len(taken) == 2
    last = house.grading.next("d" * 32, duel)
    assert last is not None
    assert last.comparison.id == gone
    view = queue_view.graded(view, house, words, "model_a", gone)
    assert (view.pair, view.notice and view.notice.title) == (None, words("duels.gone"))
    with pytest.raises(UnknownConversation):
        house.view(OWNER, gone)


def test_nothing_is_told_of_batches_in_other_tabs(view: ArenaView, services: Services, words: Words) -> None:
    assert shown(view, services, words)["phase"] == "desk"
    empty = replace(view, tab="duels", duel="d", queue=Queue("d", Tally(pairs=4, graded=4)))
    assert shown(empty, services, words)["title"] == words("duels.nothing_title")


def test_a_pair_is_not_opened_as_a_comparison(view: ArenaView, house: ArenaService, duel: str) -> None:
    pair = pair_of(queue_view.entered(view, house.grading, duel))
    with pytest.raises(InvalidRequest, match="belongs to a batch"):
        compare_view.opened(view, house, pair)


BATCH = Batch("d" * 32, ("pip", "echo"), 3, "answered", 6, 6, Tally(6, 3, 1, 2, 1, 1), datetime.now(UTC), 0, "What?")


def test_the_list_says_how_far_each_batch_is(catalog: Catalog, words: Words) -> None:
    def cards(*batches: Batch, operator: bool = True) -> list[tuple[str, str, tuple[str, ...]]]:
        seen = desk_view(batches, (), words, lambda model: catalog.get(model).name, operator=operator)
        return [(card.status, card.graded, card.may) for card in seen.batches]

    assert cards(BATCH) == [("", "1 of 3 pairs graded", ("grade",))]
    assert cards(replace(BATCH, tally=Tally(6, 3, 3, 0, 3, 0))) == [("", "3 of 3 pairs graded", ("results",))]
    assert cards(replace(BATCH, tally=Tally())) == [("", words("duels.no_pairs"), ())]
    asking = replace(BATCH, stage="asking", model_id="pip", done=2, tally=Tally())
    assert cards(asking) == [("Pip is answering: 2 of 6 answers.", "", ("halt",))]
    assert cards(asking, operator=False) == [("A model is answering: 2 of 6 answers.", "", ())]
    still = replace(BATCH, stage="open", done=2, problem=Busy("Busy."))
    assert cards(still)[0][2] == ("grade", "go_on")
    assert cards(still, operator=False)[0][2] == ("grade",)
    (card,) = desk_view([still], (), words, str, operator=False).batches
    assert (card.title, card.problem, card.fraction) == ("“What?” and 2 more", "", 2 / 6)
    assert desk_view([], (), words, str, operator=False).models == ()


@pytest.mark.parametrize("language", ["en", "vi"])
def test_every_error_of_a_batch_has_a_sentence_of_its_own(language: str) -> None:
    words = load_words(language)  # type: ignore[arg-type]
    errors = [BadQuestions("In English.", reason, 7) for reason in get_args(QuestionFault)]
    said = [sentence_of(error, words) for error in (*errors, Busy("x"), NotTheOperator("x"))]
    assert len(set(said)) == len(said)
    assert "7" in said[3]
    assert "500" in said[8]


def test_earlier_comparisons_are_told_without_hidden_names(catalog: Catalog, words: Words) -> None:
    sides = (Side(0, "", "pip"), Side(1, "", "echo"))
    named = Comparison("a", Mode.NAMED, sides, title="What?")
    blind = Comparison("a", Mode.BLIND, tuple(Side(at, "", "") for at in range(2)), title="Who?")
    voted = replace(blind, sides=sides, winner="model_b", revealed=True)
    told = history_view.listed([named, blind, voted], blind.id, catalog, words)
    assert [item.note for item in told.items] == ["Pip · Echo", "No vote yet", "You found Echo better."]
    assert [item.blind for item in told.items] == [False, True, True]
    assert told.active == blind.id
    assert told.items[0].updated <= time.time()
    four = replace(named, sides=tuple(Side(at, "", "pip") for at in range(4)))
    assert history_view.listed([four], "", catalog, words).items[0].note == " · ".join(["Pip"] * 4)
