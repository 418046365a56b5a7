"""A run: one answer on its way. It belongs to the server; any number of watchers follow it, none is needed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from playground.chat.event_log import EventLog
from playground.domain import (
    Blocked,
    ChatEvent,
    Checking,
    Failed,
    Finished,
    FinishReason,
    Loading,
    Queued,
    ReasoningDelta,
    TextDelta,
    Verdict,
    new_id,
)


@dataclass(frozen=True, slots=True)
class RunSnapshot:
    """A run as it is at one moment: what a watcher draws.

    `version` grows with every change and is also a place in the run's events: `events(snapshot.version)` goes on
    exactly where the snapshot ends. `tokens` counts the engine's pieces until the end tells the exact number;
    `first_token` and `elapsed` are seconds from the question to the first piece and to the latest one, or to the end:
    while nothing comes, a snapshot stays as it is. `verdicts` are the answer's warnings and
    redactions so far (those of the question are kept with the question).
    """

    version: int
    text: str
    reasoning: str
    stage: Queued | Loading | Checking | None
    verdicts: tuple[Verdict, ...]
    tokens: int
    elapsed: float
    first_token: float | None
    end: Blocked | Finished | Failed | None


class Run:
    """One answer. The first half of the methods is for watchers, the second for whoever writes the answer.

    `message_id` is the assistant's message. When the question was blocked nothing was stored: both message ids are
    None, and so is `conversation_id` of a conversation that would have been new.
    """

    def __init__(
        self,
        owner: str,
        conversation_id: str | None = None,
        user_message_id: str | None = None,
        message_id: str | None = None,
    ) -> None:
        self.id = new_id()
        self.owner = owner
        self.conversation_id = conversation_id
        self.user_message_id = user_message_id
        self.message_id = message_id
        self.stop_reason: FinishReason | None = None
        self.ended_at: float | None = None
        self.started_at = time.monotonic()
        self._changed = threading.Condition()
        self._log = EventLog()
        self._texts = (-1, "", "")
        self._stage: Queued | Loading | Checking | None = None
        self._verdicts: tuple[Verdict, ...] = ()
        self._tokens = 0
        self._first_token: float | None = None
        self._latest = self.started_at
        self.first_text: float | None = None  # seconds from the question to the first released text or thinking
        self._end: Blocked | Finished | Failed | None = None
        self._when_stopped: Callable[[], None] | None = None
        self._watchers: list[Callable[[], None]] = []

    @property
    def done(self) -> bool:
        """Whether the run has ended; what it released is stored by then."""
        return self._end is not None

    @property
    def first_token(self) -> float | None:
        """Seconds from the question to the engine's first piece; None before it."""
        return self._first_token

    def snapshot(self) -> RunSnapshot:
        """How far the run is."""
        with self._changed:
            version = self._log.position
            if self._texts[0] != version:
                self._texts = (version, self._log.joined(TextDelta), self._log.joined(ReasoningDelta))
            return RunSnapshot(
                version=version,
                text=self._texts[1],
                reasoning=self._texts[2],
                stage=self._stage,
                verdicts=self._verdicts,
                tokens=self._tokens,
                elapsed=(self.ended_at or self._latest) - self.started_at,
                first_token=self._first_token,
                end=self._end,
            )

    def events(self, start: int = 0, timeout: float | None = None) -> Iterator[ChatEvent]:
        """Follow the run from a position (0: all of it; a snapshot's `version`: what comes after) to its end.

        Deltas that a watcher was too slow for arrive joined, and states that were over are left out. `timeout` is the
        longest silence in seconds: the iterator then ends although the run has not.
        """
        position = start
        while True:
            with self._changed:
                if not self._changed.wait_for(partial(self._is_beyond, position), timeout):
                    return
            fresh, position, done = self.after(position)
            yield from fresh
            if done:
                return

    def after(self, position: int) -> tuple[list[ChatEvent], int, bool]:
        """What came after a position, as far as it came by now; the position to go on from; whether that is all."""
        with self._changed:
            return self._log.after(position), self._log.position, self.done

    @contextmanager
    def watched(self, notify: Callable[[], None]) -> Iterator[None]:
        """Call `notify` after every change while the body runs: from another thread, so it must be quick."""
        with self._changed:
            self._watchers.append(notify)
        try:
            yield
        finally:
            with self._changed:
                self._watchers.remove(notify)

    def _is_beyond(self, position: int) -> bool:
        return self.done or self._log.position > position

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end; False when `timeout` seconds went by before it."""
        with self._changed:
            return self._changed.wait_for(lambda: self.done, timeout)

    def cancel(self) -> None:
        """Ask the run to end soon, keeping what was released. A run that has ended stays as it is."""
        self.stop(FinishReason.CANCELLED)

    @property
    def stopping(self) -> bool:
        """Whether somebody asked the run to end."""
        return self.stop_reason is not None

    def stop(self, reason: FinishReason) -> None:
        """Ask the run to end with this reason; the first reason stays."""
        with self._changed:
            if self.stop_reason is not None or self.done:
                return
            self.stop_reason = reason
            notify = self._when_stopped
        if notify:
            notify()

    def when_stopped(self, notify: Callable[[], None] | None) -> None:
        """Call `notify` (from another thread) when the run is asked to end; for whoever waits on its behalf."""
        with self._changed:
            self._when_stopped = notify

    def emit(self, event: ChatEvent) -> None:
        """Tell the watchers; the first Blocked, Finished or Failed ends the run, and nothing comes after it."""
        with self._changed:
            if self.done:
                return
            self._log.append(event)
            if self.first_text is None and isinstance(event, TextDelta | ReasoningDelta):
                self.first_text = time.monotonic() - self.started_at
            if isinstance(event, Queued | Loading | Checking):
                self._stage = event
            else:
                self._stage = None
            if isinstance(event, Blocked | Finished | Failed):
                self._end, self.ended_at = event, time.monotonic()
            if isinstance(event, Finished) and event.usage.completion_tokens:
                self._tokens = event.usage.completion_tokens
            self._tell()

    def count_piece(self) -> None:
        """The engine wrote a piece (not yet released)."""
        with self._changed:
            self._tokens += 1
            self._latest = time.monotonic()
            if self._first_token is None:
                self._first_token = self._latest - self.started_at

    def note(self, verdicts: Sequence[Verdict]) -> None:
        """The answer's warnings and redactions so far."""
        with self._changed:
            if len(verdicts) != len(self._verdicts):
                self._verdicts = tuple(verdicts)
                self._log.tick()
                self._tell()

    def _tell(self) -> None:
        self._changed.notify_all()
        for notify in self._watchers:
            notify()
