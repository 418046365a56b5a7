"""Long work on threads of its own, followed by any number of waiters."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

from playground.catalog.hub_client import Cancel
from playground.catalog.spec import ModelSpec
from playground.domain import Loading, Queued, Stage, new_id
from playground.engines.contract import Progress
from playground.errors import Cancelled, EngineTimeout, InternalError, PlaygroundError

log = logging.getLogger(__name__)

Work = Callable[[Progress, Cancel], ModelSpec]
_POLL_SECONDS = 0.1
_REMEMBERED = 50


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as it is at one moment. `error` is why it ended without a result; Cancelled when it was stopped."""

    id: str
    model_id: str
    news: Loading | Queued
    done: bool
    error: PlaygroundError | None
    waiters: int


@dataclass(slots=True, eq=False)
class _Job:
    model_id: str
    work: Work
    keep: bool
    id: str = field(default_factory=new_id)
    news: Loading | Queued = field(default_factory=lambda: Queued(1))
    changed_at: float = field(default_factory=time.monotonic)
    stopping: bool = False
    done: bool = False
    result: ModelSpec | None = None
    error: PlaygroundError | None = None
    waiters: int = 0

    def view(self) -> JobView:
        return JobView(self.id, self.model_id, self.news, self.done, self.error, self.waiters)


class Jobs:
    """At most `places` jobs run at once, one for a model; more wait in line. Safe to use from many threads.

    A job that nobody asked to keep ends when the last waiter gives up. One without progress for `stall_seconds` is
    given up by whoever waits for it.
    """

    def __init__(self, places: int = 2, stall_seconds: float = 1800.0) -> None:
        self._places = places
        self._stall_seconds = stall_seconds
        self._changed = threading.Condition()
        self._jobs: list[_Job] = []
        self._closed = False

    def start(self, model_id: str, work: Work, *, keep: bool = True) -> JobView:
        """Begin a job for a model, or join the one that is going on."""
        with self._changed:
            return self._joined(model_id, work, keep=keep).view()

    def run(self, model_id: str, work: Work, progress: Progress, cancelled: Cancel) -> ModelSpec:
        """The result of the model's job, which is begun if need be; `progress` hears of it on the calling thread.

        Raises what the job raised; Cancelled as soon as `cancelled()` says so; EngineTimeout after a long silence.
        """
        with self._changed:
            job = self._joined(model_id, work, keep=False)
            job.waiters += 1
        try:
            return self._followed(job, progress, cancelled)
        finally:
            with self._changed:
                job.waiters -= 1
                if job.waiters == 0 and not job.keep:
                    job.stopping = True
                self._changed.notify_all()

    def views(self) -> list[JobView]:
        """All jobs that go on, and the last ones that ended, the oldest first."""
        with self._changed:
            return [job.view() for job in self._jobs]

    def wait(self, job_id: str, timeout: float) -> JobView | None:
        """The job once it has ended, or as it is after `timeout` seconds; None for an unknown one."""
        with self._changed:
            job = next((job for job in self._jobs if job.id == job_id), None)
            if job is not None:
                self._changed.wait_for(lambda: job.done, timeout)
            return job.view() if job is not None else None

    def cancel(self, job_id: str) -> bool:
        """Ask a job to stop; whether there is one to stop. What it has done so far is kept."""
        with self._changed:
            found = [job for job in self._jobs if job_id in {job.id, job.model_id} and not job.done]
            for job in found:
                job.stopping = True
            self._changed.notify_all()
        return bool(found)

    def close(self, timeout: float = 5.0) -> None:
        """Stop all jobs and wait a little for them; may be called twice."""
        with self._changed:
            self._closed = True
            for job in self._jobs:
                job.stopping = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: all(job.done for job in self._jobs), timeout)

    def _joined(self, model_id: str, work: Work, *, keep: bool) -> _Job:
        for job in self._jobs:
            if job.model_id == model_id and not job.done and not job.stopping:
                job.keep = job.keep or keep
                return job
        if self._closed:
            raise Cancelled("The playground is shutting down. Start it again to go on.")
        ended = [job for job in self._jobs if job.done]
        for job in ended[: max(0, len(ended) - _REMEMBERED)]:
            self._jobs.remove(job)
        job = _Job(model_id, work, keep)
        self._jobs.append(job)
        threading.Thread(target=self._run, args=(job,), name=f"prepare {model_id}", daemon=True).start()
        return job

    def _followed(self, job: _Job, progress: Progress, cancelled: Cancel) -> ModelSpec:
        told: Loading | Queued | None = None
        while True:
            with self._changed:
                news, done, silent = job.news, job.done, time.monotonic() - job.changed_at
            if done:
                return _outcome(job)
            if news != told:
                told = news
                progress(news)
            if cancelled():
                raise Cancelled("This model is no longer waited for. Send the message again to ask it.")
            if silent > self._stall_seconds:
                self.cancel(job.id)
                raise EngineTimeout("Making this model ready showed no progress for too long. Try again.")
            with self._changed:
                if job.news == told and not job.done:
                    self._changed.wait(_POLL_SECONDS)

    def _run(self, job: _Job) -> None:
        error: PlaygroundError | None = InternalError()
        try:
            self._wait_for_place(job)
            job.result = job.work(lambda news: self._tell(job, news), lambda: job.stopping)
            error = None
        except PlaygroundError as failure:
            error = failure
            log.info("preparing %s ended: %s", job.model_id, failure.code)
        except Exception as failure:  # noqa: BLE001  the last line of a thread: waiters are told InternalError
            place = traceback.extract_tb(failure.__traceback__)[-1]
            what = type(failure).__name__
            log.error("preparing %s: %s in %s, line %s", job.model_id, what, place.name, place.lineno)  # noqa: TRY400
        finally:
            with self._changed:
                job.error, job.done = error, True
                self._changed.notify_all()

    def _wait_for_place(self, job: _Job) -> None:
        with self._changed:
            while True:
                ahead = [other for other in self._jobs[: self._jobs.index(job)] if not other.done]
                if job.stopping:
                    raise Cancelled("This was stopped before it began.")
                if len(ahead) < self._places:
                    job.news, job.changed_at = Loading(Stage.DOWNLOADING), time.monotonic()
                    return
                job.news, job.changed_at = Queued(len(ahead) - self._places + 1), time.monotonic()
                self._changed.wait(_POLL_SECONDS * 5)

    def _tell(self, job: _Job, news: Loading | Queued) -> None:
        with self._changed:
            job.news, job.changed_at = news, time.monotonic()
            self._changed.notify_all()


def _outcome(job: _Job) -> ModelSpec:
    if job.error is not None:
        raise _again(job.error) from job.error
    if job.result is None:
        raise AssertionError("a job without an error has a result")
    return job.result


def _again(error: PlaygroundError) -> PlaygroundError:
    """The same error for one more waiter: an exception that is raised in several threads would mix their tracebacks."""
    copy = type(error).__new__(type(error), *error.args)
    copy.args = error.args
    copy.__dict__.update(error.__dict__)
    return copy
