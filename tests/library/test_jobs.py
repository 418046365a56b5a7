"""Jobs whose work goes wrong, stalls, or is closed under its waiters."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from playground.catalog.spec import ModelSpec
from playground.engines.contract import Progress
from playground.errors import Cancelled, EngineTimeout, HubBusy, InternalError
from playground.library.jobs import Jobs
from tests.library.conftest import spec_of


def follow(jobs: Jobs, work: Callable[[Progress, Callable[[], bool]], ModelSpec]) -> ModelSpec:
    return jobs.run("m", work, lambda _: None, lambda: False)


def test_an_error_reaches_every_waiter_with_what_it_carries() -> None:
    jobs, begin = Jobs(), threading.Event()
    seen: list[HubBusy] = []

    def work(progress: Progress, cancelled: Callable[[], bool]) -> ModelSpec:
        begin.wait(10)
        raise HubBusy("Wait.", 7.0)

    def wait() -> None:
        try:
            follow(jobs, work)
        except HubBusy as error:
            seen.append(error)

    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    while jobs.views()[0].waiters < 3 if jobs.views() else True:
        threading.Event().wait(0.01)
    begin.set()
    for thread in threads:
        thread.join(10)
    assert [(str(error), error.retry_after) for error in seen] == [("Wait.", 7.0)] * 3
    assert len({id(error) for error in seen}) == 3
    assert len(jobs.views()) == 1


def test_a_job_without_progress_is_given_up() -> None:
    jobs = Jobs(stall_seconds=0.3)

    def work(progress: Progress, cancelled: Callable[[], bool]) -> ModelSpec:
        while not cancelled():
            threading.Event().wait(0.02)
        raise Cancelled("stopped")

    with pytest.raises(EngineTimeout, match="no progress"):
        follow(jobs, work)
    ended = jobs.wait(jobs.views()[0].id, 10)
    assert ended is not None
    assert ended.done


def test_a_mistake_in_the_work_becomes_a_typed_error() -> None:
    def work(progress: Progress, cancelled: Callable[[], bool]) -> ModelSpec:
        raise ZeroDivisionError

    with pytest.raises(InternalError):
        follow(Jobs(), work)


def test_a_closed_house_takes_no_more_work() -> None:
    jobs = Jobs()
    assert follow(jobs, lambda *_: spec_of()).id == "m"
    jobs.close()
    jobs.close()
    with pytest.raises(Cancelled, match="shutting down"):
        follow(jobs, lambda *_: spec_of())
