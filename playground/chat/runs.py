"""The runs of this server: who answers in which conversation, and what can still be followed."""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from playground.chat.line import Line
from playground.chat.neighbours import Alone, Neighbours
from playground.chat.run import Run
from playground.domain import Failed, FinishReason, Queued
from playground.errors import Busy, InternalError

log = logging.getLogger(__name__)

KEPT_SECONDS = 60.0
MOST_KEPT = 256
WAITING_PER_PLACE = 8
_TURN_SECONDS = 0.05


class Runs:
    """At most one run per conversation, each in a thread of its own, `places` of them working at the same time.

    A run that ended can be followed for `KEPT_SECONDS` more, as long as it is among the `MOST_KEPT` latest. The
    conversations are shared with `neighbours`; places, and the line for them, are those of this process.
    """

    def __init__(self, places: int, neighbours: Neighbours | None = None) -> None:
        self.neighbours = neighbours or Alone()
        self._line = Line(places, places * WAITING_PER_PLACE, self.neighbours.loads)
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._claimed: dict[str, Run | object] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._ended: dict[str, Run] = {}
        self._closed = False

    @contextmanager
    def claim(self, conversation_id: str, owner: str | None = None) -> Iterator[None]:
        """Keep the conversation for one run to come; it is free again when the body ends without `launch`.

        `owner`: whose it is, for one that is stored, which other processes know as well. Raises Busy when an answer is
        already being written there, or the server is closing; StorageError.
        """
        claim = object()
        with self._lock:
            if self._closed:
                raise Busy("The playground is closing. Try again in a minute.")
            holder = self._claimed.get(conversation_id)
            if holder is not None and not (isinstance(holder, Run) and holder.done):
                raise Busy("An answer is already being written in this conversation. Wait for it, or stop it first.")
            self._claimed[conversation_id] = claim
        try:
            if owner is not None:
                self.neighbours.claim(owner, conversation_id, claim)
            yield
        finally:
            self._free(conversation_id, claim)

    @contextmanager
    def positions(self, runs: Sequence[Run]) -> Iterator[None]:
        """Positions in the line, in this order; given up again when the body ends with an error instead of `launch`.

        Raises Busy when too many wait already.
        """
        joined: list[Run] = []
        try:
            for run in runs:
                self._line.join(run)
                joined.append(run)
            yield
        except BaseException:
            for run in joined:
                self._line.leave(run)
            raise

    def launch(self, run: Run, conversation_id: str, work: Callable[[Run], None], after: Run | None = None) -> None:
        """Do `work` in a thread of its own, as soon as the run's turn has come, and not before `after` has ended.

        The run has a position (behind that of `after`), and the conversation is claimed for it. Never raises: a run
        that no thread is left for has failed when this returns.
        """
        # With the context of whoever asked: a lent graphics card is charged to the request that it finds there.
        context = contextvars.copy_context()
        thread = threading.Thread(
            target=context.run,
            args=(self._work, run, conversation_id, work, after),
            name=f"run-{run.id[:8]}",
            daemon=True,
        )
        with self._lock:
            self._claimed[conversation_id] = run
            self._threads[run.id] = thread
        if run.conversation_id is not None:
            self.neighbours.begin(run, conversation_id)
        try:
            thread.start()
        except RuntimeError:  # the system has no thread left
            self._line.leave(run)
            run.emit(Failed(Busy.code, "The server is too busy to answer right now. Try again in a minute."))
            self.keep_ended(run)
            self._free(conversation_id, run)

    def keep_ended(self, run: Run) -> None:
        """Let a run that has ended be followed a while longer."""
        with self._lock:
            self._ended[run.id] = run
            oldest = time.monotonic() - KEPT_SECONDS
            gone = [old.id for old in self._ended.values() if (old.ended_at or 0.0) < oldest]
            for run_id in gone + list(self._ended)[: max(0, len(self._ended) - MOST_KEPT)]:
                self._ended.pop(run_id, None)

    def active(self, owner: str, conversation_id: str) -> Run | None:
        """The run that is writing in this conversation of `owner`, if there is one. Raises StorageError."""
        with self._lock:
            run = self._claimed.get(conversation_id)
        if isinstance(run, Run) and run.owner == owner and not run.done:
            return run
        return self.neighbours.active(owner, conversation_id)

    def get(self, owner: str, run_id: str) -> Run | None:
        """A run of `owner` by its id, going on or ended not long ago."""
        with self._lock:
            run = next((run for run in self._running() if run.id == run_id), None) or self._ended.get(run_id)
        return run if run and run.owner == owner else None

    def line(self) -> tuple[int, int]:
        """How many runs go on, and how many wait for their turn."""
        return self._line.counts()

    def wait_idle(self, seconds: float) -> bool:
        """Wait until there is no run; False when `seconds` went by before."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._threads, seconds)

    def close(self, timeout: float = 10.0) -> None:
        """Take no more runs, ask those that go on to end as interrupted, and wait for them (seconds, all together)."""
        with self._lock:
            self._closed = True
            running = self._running()
            threads = list(self._threads.values())
        for run in running:
            run.stop(FinishReason.INTERRUPTED)
        deadline = time.monotonic() + timeout
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self.neighbours.close()

    def _work(self, run: Run, conversation_id: str, work: Callable[[Run], None], after: Run | None) -> None:
        try:
            # `after` stood in line before this run, so it has a place already: waiting for it in a place ends.
            with self._line.place(run):
                if after is not None:
                    _await(after, run)
                work(run)
        finally:
            if not run.done:  # `work` ends every run it can; nobody may wait for ever for one it could not
                log.error("run %s ended without a word", run.id)
                run.emit(Failed(InternalError.code, str(InternalError())))
            self.keep_ended(run)
            self._free(conversation_id, run)

    def _free(self, conversation_id: str, holder: Run | object) -> None:
        self.neighbours.release(conversation_id, holder)
        with self._lock:
            if self._claimed.get(conversation_id) is holder:
                del self._claimed[conversation_id]
            if isinstance(holder, Run):
                del self._threads[holder.id]
                self._idle.notify_all()

    def _running(self) -> list[Run]:
        return [run for run in self._claimed.values() if isinstance(run, Run)]


def _await(earlier: Run, run: Run) -> None:
    """Wait for the end of an earlier run, or until nobody wants this one any more."""
    if not earlier.done:
        run.emit(Queued(1))
    while not run.stopping and not earlier.wait(_TURN_SECONDS):
        pass
