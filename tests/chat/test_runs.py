"""Runs that go on, runs that ended, and what happens when one cannot begin or cannot end."""

from __future__ import annotations

import threading

import pytest

from playground.chat import runs as runs_module
from playground.chat.run import Run
from playground.chat.runs import Runs
from playground.domain import Failed, Finished, FinishReason
from playground.errors import Busy


def finish(run: Run) -> None:
    run.emit(Finished(FinishReason.STOP))


def launched(runs: Runs, run: Run, conversation_id: str, work: object = finish) -> Run:
    with runs.claim(conversation_id), runs.positions([run]):
        runs.launch(run, conversation_id, work)  # type: ignore[arg-type]
    return run


def test_the_conversation_is_free_as_soon_as_the_run_has_ended() -> None:
    runs = Runs(4)
    for _ in range(200):
        run = launched(runs, Run("anna", "c"), "c")
        assert run.wait(30)
    runs.close()


def test_a_claim_without_a_launch_is_given_back() -> None:
    runs = Runs(4)
    with pytest.raises(ZeroDivisionError), runs.claim("c"):
        raise ZeroDivisionError
    with runs.claim("c"):
        with pytest.raises(Busy), runs.claim("c"):
            pass
        with runs.claim("d"):
            pass
    with runs.claim("c"):
        pass


def test_a_run_that_ends_without_a_word_is_told_as_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    caught: list[object] = []
    monkeypatch.setattr(threading, "excepthook", caught.append)
    runs = Runs(1)

    def break_down(run: Run) -> None:
        raise ZeroDivisionError

    for _ in range(3):  # and its place is given back
        run = launched(runs, Run("anna", "c"), "c", break_down)
        assert run.wait(30)
        end = run.snapshot().end
        assert isinstance(end, Failed)
        assert end.code == "internal_error"
    runs.close()
    assert len(caught) == 3


def test_when_the_system_has_no_thread_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    runs = Runs(1)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        end = launched(runs, Run("anna", "c"), "c").snapshot().end
        assert isinstance(end, Failed)
        assert (end.code, "too busy" in end.message) == ("busy", True)
    assert launched(runs, Run("anna", "c"), "c").wait(30)
    runs.close()


def test_runs_that_ended_are_kept_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = Runs(4)
    old, new = Run("anna"), Run("anna")
    finish(old)
    runs.keep_ended(old)
    assert runs.get("anna", old.id) is old
    assert runs.get("bob", old.id) is None
    monkeypatch.setattr(runs_module, "KEPT_SECONDS", 0.0)
    finish(new)
    runs.keep_ended(new)
    assert runs.get("anna", old.id) is None
    monkeypatch.setattr(runs_module, "KEPT_SECONDS", 60.0)
    monkeypatch.setattr(runs_module, "MOST_KEPT", 3)
    latest = [Run("anna") for _ in range(10)]
    for run in latest:
        finish(run)
        runs.keep_ended(run)
    assert [run for run in latest if runs.get("anna", run.id)] == latest[-3:]


def test_a_closed_server_takes_no_more() -> None:
    runs = Runs(4)
    runs.close()
    with pytest.raises(Busy, match="closing"), runs.claim("c"):
        pass
