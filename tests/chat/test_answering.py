"""How a run ends: by itself, stopped, blocked, broken; and that what was released is kept each time."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy import event
from sqlalchemy import text as sql

from playground.catalog.catalog import Catalog
from playground.domain import (
    Action,
    Blocked,
    ChatEvent,
    Checking,
    Failed,
    Finished,
    FinishReason,
    Loading,
    Queued,
    SamplingParams,
    Stage,
    TextDelta,
)
from playground.engines.contract import Delta, Progress, Prompt
from playground.errors import EngineError, WorkerDied
from tests.chat.conftest import OUTPUT_ONLY, House, Saying

STORY = "Once upon a time there was a fox, and the fox was clever. "


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def joined(events: list[ChatEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


class Breaking(Saying):
    """Says the beginning, then raises."""

    def __init__(self, error: Exception, says: str = STORY * 3) -> None:
        super().__init__(says=says)
        self.error = error

    def generate(self, prompt: Prompt, params: SamplingParams, progress: Progress | None = None) -> Iterator[Delta]:
        yield from (piece for piece in super().generate(prompt, params, progress) if piece.text)
        raise self.error


def test_two_watchers_see_the_same_and_one_may_come_late(build_house: Callable[..., House]) -> None:
    house = build_house(Saying(3, 0.002))
    run = house.ask(STORY * 10)
    early: list[ChatEvent] = []
    watcher = threading.Thread(target=lambda: early.extend(run.events()))
    watcher.start()
    until(lambda: len(run.snapshot().text) > 100)
    late = run.snapshot()  # a page that was reloaded
    rest = list(run.events(late.version))
    watcher.join(30)
    assert joined(early) == late.text + joined(rest) == (STORY * 10).strip()
    assert early[-1] == rest[-1] == run.snapshot().end


def test_what_was_released_is_stored_while_it_streams(build_house: Callable[..., House]) -> None:
    house = build_house(Saying(2, 0.01))
    run = house.ask(STORY * 10)
    until(lambda: bool(house.messages(run)[-1].content))
    going = house.messages(run)[-1]
    assert going.finish_reason is None
    assert STORY.startswith(going.content[:50])
    run.cancel()
    assert run.wait(30)


def test_stop_keeps_what_was_written_and_screens_what_was_held(build_house: Callable[..., House]) -> None:
    house = build_house(Saying(2, 0.01))
    run = house.ask(STORY * 10)
    until(lambda: len(run.snapshot().text) > 20)
    run.cancel()
    assert run.wait(30)
    end = run.snapshot().end
    assert isinstance(end, Finished)
    assert end.reason == FinishReason.CANCELLED
    answer = house.messages(run)[-1]
    assert (answer.content, answer.finish_reason) == (run.snapshot().text, FinishReason.CANCELLED)
    assert (STORY * 10).startswith(answer.content)
    assert answer.usage is not None
    assert answer.usage.completion_tokens * 2 == len(answer.content)  # nothing that was written is lost
    house.answer("and on it goes", run)


def test_stop_does_not_let_out_what_was_held_if_it_is_blocked(build_house: Callable[..., House]) -> None:
    house = build_house(Saying(1, 0.02, says="Dear all, you fucking"), policy=OUTPUT_ONLY)
    run = house.ask("hello")
    until(lambda: run.snapshot().tokens >= 20)
    run.cancel()
    assert run.wait(30)
    assert isinstance(run.snapshot().end, Blocked)
    assert b"fuck" not in house.stored_bytes()


def test_stop_reaches_a_model_that_has_not_begun(build_house: Callable[..., House]) -> None:
    class Prefilling(Saying):
        closed = False

        def generate(self, prompt: Prompt, params: SamplingParams, progress: Progress | None = None) -> Iterator[Delta]:
            try:
                while progress is not None:
                    progress(Loading(Stage.PREFILLING, 0.5))
                    time.sleep(0.005)
                yield Delta("")
            finally:
                self.closed = True

    house = build_house(Prefilling())
    run = house.ask("hello")
    until(lambda: run.snapshot().stage == Loading(Stage.PREFILLING, 0.5))
    run.cancel()
    assert run.wait(30)
    assert isinstance(house.engine, Prefilling)
    assert house.engine.closed
    assert house.messages(run)[-1].finish_reason == FinishReason.CANCELLED


def test_a_blocked_answer_ends_with_what_was_cleared(build_house: Callable[..., House]) -> None:
    house = build_house(Saying(says=STORY + "You fucking fox! " + STORY), policy=OUTPUT_ONLY)
    run = house.answer("hello")
    end = run.snapshot().end
    assert isinstance(end, Blocked)
    answer = house.messages(run)[-1]
    assert (answer.finish_reason, answer.content) == (FinishReason.CONTENT_FILTER, run.snapshot().text)
    assert STORY.startswith(answer.content)
    assert answer.content
    assert [verdict.action for verdict in answer.verdicts] == [Action.BLOCK]
    assert {row["direction"] for row in house.decisions.newest()} == {"output"}
    assert isinstance(house.engine, Saying)
    house.answer("next", run)
    assert [turn.content for turn in house.engine.prompts[-1].turns] == ["next"]


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (WorkerDied("The model's process ended. Try again."), "worker_died", FinishReason.INTERRUPTED),
        (EngineError("It broke. Try again."), "engine_error", FinishReason.ERROR),
        (ZeroDivisionError("a secret"), "internal_error", FinishReason.ERROR),
    ],
)
def test_whatever_breaks_the_partial_answer_stays(
    build_house: Callable[..., House],
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    code: str,
    reason: FinishReason,
) -> None:
    caplog.set_level(logging.DEBUG)
    house = build_house(Breaking(error))
    run = house.answer("hello")
    end = run.snapshot().end
    assert isinstance(end, Failed)
    assert end.code == code
    assert "Try again" in end.message
    answer = house.messages(run)[-1]
    assert (answer.content, answer.finish_reason, answer.error) == (STORY * 3, reason, code)
    assert "secret" not in end.message + caplog.text
    assert code == "internal_error" or code in caplog.text
    again = house.ask(None, run)
    assert again.wait(30)


def test_an_answer_that_cannot_be_stored_says_so(build_house: Callable[..., House]) -> None:
    house = build_house(Saying(16, 0.002))
    run = house.ask("fox " * 2000)
    with house.database.read() as connection:
        pages = connection.scalar(sql("PRAGMA page_count"))

    def fill_the_disk(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA max_page_count={pages}")

    event.listen(house.database._engine, "connect", fill_the_disk)
    house.database.close()  # the connections that are made from here on find it full
    assert run.wait(60)
    end = run.snapshot().end
    assert isinstance(end, Failed)
    assert end.code == "storage_error"
    assert "disk is full" in end.message
    assert len(run.snapshot().text) > 4000


def test_those_beyond_the_limit_wait_in_line(build_house: Callable[..., House]) -> None:
    house = build_house(Saying(1, 0.005), max_runs=1)
    first = house.ask("x" * 400)
    second = house.ask("hello")
    until(lambda: second.snapshot().stage == Queued(1))
    third = house.ask("stopped before it began")
    until(lambda: third.snapshot().stage == Queued(2))
    third.cancel()
    assert third.wait(30)
    stopped = house.messages(third)[-1]
    assert (stopped.finish_reason, stopped.content) == (FinishReason.CANCELLED, "")
    first.cancel()
    assert second.wait(30)
    end = second.snapshot().end
    assert isinstance(end, Finished)
    assert end.timings.queued > 0
    assert house.messages(second)[-1].content == "hello"


def test_closing_the_server_marks_what_is_running(build_house: Callable[..., House]) -> None:
    house = build_house(Saying(1, 0.01), max_runs=1)
    running, waiting = house.ask("a long answer " * 50), house.ask("waiting")
    until(lambda: running.snapshot().tokens > 3)
    house.chat.close()
    for run in (running, waiting):
        assert run.done
        assert house.messages(run)[-1].finish_reason == FinishReason.INTERRUPTED


def test_reasoning_is_parted_screened_and_kept(build_house: Callable[..., House]) -> None:
    specs = [replace(spec, reasoning_tags=("<think>", "</think>")) for spec in Catalog.load()]
    house = build_house(Saying(says="<think>Norway, I think.</think>\n\nOslo."), OUTPUT_ONLY, catalog=Catalog(specs))
    run = house.answer("hello")
    answer = house.messages(run)[-1]
    assert (answer.reasoning, answer.content) == ("Norway, I think.", "Oslo.")
    assert (run.snapshot().reasoning, run.snapshot().text) == ("Norway, I think.", "Oslo.")
    assert isinstance(house.engine, Saying)
    house.answer("next", run)
    assert [turn.content for turn in house.engine.prompts[-1].turns] == ["hello", "Oslo.", "next"]
    house.engine.says = "<think>What a fucking question, I must say.</think>Oslo."
    blocked = house.answer("again")
    assert isinstance(blocked.snapshot().end, Blocked)
    assert blocked.snapshot().text == ""
    assert b"fuck" not in house.stored_bytes()


def test_text_that_is_held_back_long_is_told(build_house: Callable[..., House]) -> None:
    house = build_house(Saying(1, 0.02, says="fox" * 40))
    run = house.ask("hello")
    until(lambda: isinstance(run.snapshot().stage, Checking) or run.done)
    stage = run.snapshot().stage
    assert isinstance(stage, Checking)
    assert stage.held > 0
    run.cancel()
    assert run.wait(30)
    assert "fox" in run.snapshot().text


def test_a_model_s_own_defaults_are_used_without_parameters(build_house: Callable[..., House]) -> None:
    specs = [replace(spec, defaults=SamplingParams(max_tokens=2)) for spec in Catalog.load()]
    house = build_house(catalog=Catalog(specs))
    assert house.messages(house.answer("twelve chars"))[-1].content == "twelve c"
