"""Watchers come and go; the run goes on."""

from __future__ import annotations

import threading

from playground.chat.run import Run
from playground.domain import (
    Action,
    Blocked,
    ChatEvent,
    Checking,
    Direction,
    Failed,
    Finished,
    FinishReason,
    Queued,
    ReasoningDelta,
    TextDelta,
    Usage,
    Verdict,
)

END = Finished(FinishReason.STOP, Usage(5, 7))


def test_a_snapshot_tells_how_far_the_run_is() -> None:
    run = Run("anna")
    run.emit(Queued(3))
    waiting = run.snapshot()
    assert (waiting.stage, waiting.text, waiting.first_token, waiting.end) == (Queued(3), "", None, None)
    run.count_piece()
    run.emit(ReasoningDelta("hm"))
    run.count_piece()
    run.emit(TextDelta("Os"))
    run.emit(Checking(12))
    run.note([Verdict(Direction.OUTPUT, Action.WARN)])
    going = run.snapshot()
    assert (going.text, going.reasoning, going.stage, going.tokens) == ("Os", "hm", Checking(12), 2)
    assert len(going.verdicts) == 1
    assert going.first_token is not None
    assert waiting.version < going.version
    assert run.snapshot() == going  # nothing came, so nothing is new to whoever looks again
    run.emit(END)
    ended = run.snapshot()
    assert (ended.end, ended.stage, ended.tokens) == (END, None, 7)
    assert ended.elapsed == run.snapshot().elapsed


def test_a_watcher_goes_on_where_a_snapshot_ended() -> None:
    run = Run("anna")
    run.emit(TextDelta("Xin "))
    snapshot = run.snapshot()
    run.emit(TextDelta("chào"))
    run.emit(END)
    assert list(run.events(snapshot.version)) == [TextDelta("chào"), END]
    assert list(run.events()) == [TextDelta("Xin chào"), END]
    assert list(run.events(10_000)) == []


def test_watchers_in_other_threads_see_the_same_while_it_is_written() -> None:
    run = Run("anna")
    seen: list[list[ChatEvent]] = [[] for _ in range(4)]

    def watch(events: list[ChatEvent]) -> None:
        events.extend(run.events(timeout=30))

    threads = [threading.Thread(target=watch, args=(events,)) for events in seen]
    for thread in threads:
        thread.start()
    for number in range(500):
        run.emit(TextDelta(f"{number} "))
    run.emit(END)
    for thread in threads:
        thread.join(30)
    for events in seen:
        text = "".join(event.text for event in events if isinstance(event, TextDelta))
        assert text == "".join(f"{number} " for number in range(500))
        assert events[-1] == END


def test_a_silence_ends_the_iterator_but_not_the_run() -> None:
    run = Run("anna")
    run.emit(TextDelta("a"))
    assert list(run.events(timeout=0.01)) == [TextDelta("a")]
    assert not run.wait(0.01)
    assert not run.done


def test_nothing_comes_after_the_end() -> None:
    for end in (END, Failed("x", "y"), Blocked(Verdict(Direction.INPUT, Action.BLOCK))):
        run = Run("anna")
        run.emit(end)
        run.emit(TextDelta("late"))
        run.emit(Failed("a", "b"))
        assert list(run.events()) == [end]
        assert run.wait(0)


def test_the_first_reason_to_stop_stays_and_is_told_once() -> None:
    run = Run("anna")
    told: list[int] = []
    run.when_stopped(lambda: told.append(1))
    run.cancel()
    run.stop(FinishReason.INTERRUPTED)
    assert (run.stop_reason, told, run.stopping) == (FinishReason.CANCELLED, [1], True)


def test_stopping_a_run_that_has_ended_changes_nothing() -> None:
    run = Run("anna")
    run.emit(END)
    run.cancel()
    assert not run.stopping
