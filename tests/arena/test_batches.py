"""Batches on the server: followed, halted, gone on with after a restart; questions at the gate before anything else."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from playground.arena.batches import MOST_MODELS, MOST_QUESTIONS, Batch, Batches
from playground.arena.duel import Progress
from playground.errors import BadQuestions, Busy, InvalidRequest, OutOfMemory, UnknownConversation, UnknownModel
from playground.storage.database import Database
from playground.storage.schema import duels
from tests.arena.conftest import MODELS, Hall, Room
from tests.chat.conftest import Saying

QUESTIONS = ("What is a token?", "Thủ đô của Peru là gì?", "Tell me a story.")
SLOW = {name: Saying(1, 0.03) for name in MODELS[:2]}
ABUSE = "You fucking cunt, I will kill you"


def the_batch(hall: Hall, until: Callable[[Batch], bool] = lambda batch: batch.stage in ("open", "answered")) -> Batch:
    """The only batch, once it is as it should be."""
    deadline = time.monotonic() + 60
    while True:
        found = hall.arena.batches.listed("anna")
        if found and until(found[0]) and (found[0].stage != "open" or not alive(hall.arena.batches)):
            return found[0]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def alive(batches: Batches) -> bool:
    return batches._job is not None and batches._job.is_alive()


def words(database: Database) -> str:
    with database.read() as connection:
        return repr(connection.execute(select(duels)).all())


def test_a_batch_is_worked_on_and_can_be_graded(hall: Hall) -> None:
    duel_id = hall.arena.batches.begin([*QUESTIONS, QUESTIONS[0]], MODELS[:2])
    done = the_batch(hall)
    assert (done.id, done.stage, done.done, done.total) == (duel_id, "answered", 6, 6)
    assert (done.questions, done.models, done.first) == (3, MODELS[:2], QUESTIONS[0])
    assert (done.tally.pairs, done.tally.left) == (3, 3)
    assert hall.arena.grading.next("anna", duel_id) is not None
    hall.arena.batches.begin(QUESTIONS, MODELS[:2])  # the same again: nothing is asked twice
    the_batch(hall)
    assert len(hall.engines.order) == 6


def test_what_is_read_while_it_is_worked_on_is_never_taken_for_the_end(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches, duels_of = hall.arena.batches, hall.arena.batches._parts.duels
    tallies = duels_of.tallies

    def slow_tallies(*asked: Any) -> Any:
        found = tallies(*asked)
        assert batches._job is not None
        batches._job.join(60)  # the work ends between reading and telling
        return found

    batches.begin(QUESTIONS, MODELS[:2])
    monkeypatch.setattr(duels_of, "tallies", slow_tallies)
    first = batches.listed("anna")
    assert not alive(batches)
    assert [batch.stage in ("checking", "asking") or batch.tally.pairs == 3 for batch in first] == [True]
    assert batches.listed("anna")[0].tally.pairs == 3


def test_a_batch_is_halted_and_gone_on_with_after_a_restart(build_hall: Callable[..., Hall]) -> None:
    hall = build_hall(SLOW)
    duel_id = hall.arena.batches.begin(QUESTIONS, MODELS[:2])
    asking = the_batch(hall, lambda batch: batch.stage == "asking")
    assert asking.model_id == MODELS[0]
    with pytest.raises(Busy):
        hall.arena.batches.begin(["Another?"], MODELS[:2])
    hall.arena.batches.halt("f" * 32)  # another one: nothing happens
    hall.arena.batches.halt(duel_id)
    halted = the_batch(hall)
    assert (halted.stage, halted.problem) == ("open", None)
    assert halted.done < halted.total
    later = build_hall()
    assert later.arena.batches.listed("anna")[0].done == halted.done
    later.arena.batches.go_on(duel_id)
    done = the_batch(later, lambda batch: batch.tally.pairs == 3)
    assert (done.done, done.tally.pairs) == (6, 3)
    assert len(later.engines.order) == 6 - halted.done


def test_the_end_of_the_server_halts_a_batch(build_hall: Callable[..., Hall]) -> None:
    hall = build_hall(SLOW)
    hall.arena.batches.begin(QUESTIONS, MODELS[:2])
    the_batch(hall, lambda batch: batch.stage == "asking")
    hall.arena.close()
    assert not alive(hall.arena.batches)


def test_what_the_gate_holds_back_is_asked_of_nobody_and_kept_nowhere(hall: Hall) -> None:
    hall.arena.batches.begin([ABUSE, QUESTIONS[0]], MODELS[:2])
    done = the_batch(hall)
    assert (done.held_back, done.questions, done.stage, done.tally.pairs) == (1, 2, "answered", 1)
    assert done.first == QUESTIONS[0]
    assert len(hall.engines.order) == 2
    assert "cunt" not in words(hall.database)
    assert hall.arena.duel([ABUSE, QUESTIONS[0]], MODELS[:2]).run(lambda _: None).blocked == 2


def test_nothing_is_asked_while_a_check_cannot_run(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    chat = type(hall.chat)
    screen = chat.screen

    def unavailable(*arguments: object, **options: object) -> object:
        screened = screen(*arguments, **options)  # type: ignore[arg-type]
        assert screened.verdict is None or not screened.verdict.unavailable
        refused = screen(hall.chat, "anna", ABUSE)
        assert refused.verdict is not None
        return replace(refused, verdict=replace(refused.verdict, unavailable=True))

    monkeypatch.setattr(chat, "screen", unavailable)
    hall.arena.batches.begin(QUESTIONS, MODELS[:2])
    ended = the_batch(hall)
    assert ended.problem is not None
    assert (ended.problem.code, ended.stage, hall.engines.order) == ("detector_unavailable", "open", [])


def test_what_cannot_be_a_batch_is_refused_at_once(build_hall: Callable[..., Hall]) -> None:
    hall = build_hall(room=Room(refused=MODELS[1]))
    begin = hall.arena.batches.begin
    for questions, models, error in (
        (QUESTIONS, (MODELS[0], "nobody"), UnknownModel),
        (QUESTIONS, MODELS[:1], InvalidRequest),
        ((), MODELS[2:], InvalidRequest),
        (QUESTIONS, MODELS[:2], OutOfMemory),
        ([str(number) for number in range(MOST_QUESTIONS + 1)], MODELS[2:], BadQuestions),
        (QUESTIONS, [str(number) for number in range(MOST_MODELS + 1)], InvalidRequest),
    ):
        with pytest.raises(error):
            begin(questions, models)
    with pytest.raises(UnknownConversation):
        hall.arena.batches.go_on("f" * 32)
    assert hall.arena.batches.listed("anna") == []


def test_the_questions_are_told_to_be_at_the_gate_first(hall: Hall) -> None:
    told: list[Progress] = []
    hall.arena.duel(QUESTIONS, MODELS[:2]).run(told.append)
    assert told[:3] == [Progress("", number, 3) for number in range(3)]
    assert not [one for one in told[3:] if not one.model_id]
