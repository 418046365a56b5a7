"""The work of a run: from a stored question to a stored answer, through an engine and the gate."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from typing import Protocol, cast

from playground.catalog.spec import ModelSpec
from playground.chat import prompting
from playground.chat.draft import Draft
from playground.chat.run import Run
from playground.domain import (
    Direction,
    FinishReason,
    Language,
    Loading,
    Message,
    Queued,
    SamplingParams,
    Timings,
    Usage,
)
from playground.engines.contract import Delta, Engine, Progress, Tokenizer
from playground.errors import Cancelled, PlaygroundError, StorageError, WorkerDied
from playground.moderation.contract import Moderator, OutputGuard
from playground.storage.conversations import ConversationStore
from playground.storage.decisions import DecisionStore

log = logging.getLogger(__name__)


class EngineSource(Protocol):
    """Where engines come from: the part of `engines.pool.EnginePool` that answering needs."""

    def acquire(
        self, spec: ModelSpec, progress: Progress | None = None, cancelled: Callable[[], bool] | None = None
    ) -> AbstractContextManager[Engine]:
        """The loaded engine of a model, for as long as the context lasts."""
        ...

    def tokenizer(self, spec: ModelSpec) -> Tokenizer | None:
        """The model's tokenizer, or None when its engine tokenises elsewhere."""
        ...


@dataclass(frozen=True, slots=True)
class Task:
    """What a run has to do. `branch` ends with the question; `answer` is the stored, empty message to fill."""

    spec: ModelSpec
    branch: tuple[Message, ...]
    answer: Message
    params: SamplingParams
    system_prompt: str
    language: Language
    conversation_id: str


class InternalError(PlaygroundError):
    """Something nobody thought of. The log has the place, never the words."""

    code = "internal_error"


class Answerer:
    """Writes answers. One for the server; every run calls `answer` in a thread of its own."""

    def __init__(
        self, engines: EngineSource, moderator: Moderator, store: ConversationStore, decisions: DecisionStore
    ) -> None:
        self._engines = engines
        self._moderator = moderator
        self._store = store
        self._decisions = decisions

    def answer(self, run: Run, task: Task) -> None:
        """Do the task; the run has ended when this returns, however it went. Raises nothing."""

        def new_guard() -> OutputGuard:
            return self._moderator.guard(Direction.OUTPUT, language=task.language, model_id=task.spec.id)

        draft = Draft(run, task.answer, self._store, new_guard, task.spec.reasoning_tags)
        clock = _Clock(run)
        try:
            try:
                reason = self._write(run, task, draft, clock)
            except Cancelled:
                reason = FinishReason.CANCELLED
            draft.close()
            self._record(task, draft)
            draft.end(run.stop_reason or reason, clock.usage, clock.timings())
        except PlaygroundError as error:
            self._fail(run, task, draft, error)
        except Exception as error:  # noqa: BLE001  a thread's last line: whatever it is becomes a typed error
            place = traceback.extract_tb(error.__traceback__)[-1]
            what = type(error).__name__  # and not its text, which may quote what people wrote
            log.error("run %s: %s in %s, line %s", run.id, what, place.name, place.lineno)  # noqa: TRY400
            self._fail(run, task, draft, InternalError("Something went wrong while answering. Try again."))
        log.info("run %s of %s ended after %.2f s", run.id, task.spec.id, run.snapshot().elapsed)

    def _write(self, run: Run, task: Task, draft: Draft, clock: _Clock) -> FinishReason:
        """Let the engine write into the draft until it ends, is stopped or is blocked; returns the engine's reason."""

        def stop_or_tell(event: Loading | Queued) -> None:
            if run.stopping:
                raise Cancelled("The answer was stopped.")
            run.emit(event)

        with self._engines.acquire(task.spec, stop_or_tell, lambda: run.stopping) as engine:
            built = prompting.build(
                task.branch, task.spec, task.params, task.system_prompt, self._engines.tokenizer(task.spec)
            )
            draft.dropped_messages = built.dropped_messages
            clock.usage = Usage(prompt_tokens=len(built.prompt.token_ids))
            clock.generating()
            generated = engine.generate(built.prompt, built.params, stop_or_tell)
            with closing(cast("Generator[Delta]", generated)) as pieces:
                return _copy(pieces, run, draft, clock)

    def _fail(self, run: Run, task: Task, draft: Draft, error: PlaygroundError) -> None:
        log.warning("run %s of %s failed: %s", run.id, task.spec.id, error.code)
        draft.close()
        self._record(task, draft)
        draft.fail(error, FinishReason.INTERRUPTED if isinstance(error, WorkerDied) else FinishReason.ERROR)

    def _record(self, task: Task, draft: Draft) -> None:
        try:
            self._decisions.record(
                draft.verdicts, language=task.language, model_id=task.spec.id, conversation_id=task.conversation_id
            )
        except StorageError:  # the answer's own end is what the person is told about
            log.warning("the decisions about message %s could not be stored", task.answer.id)


class _Clock:
    """The figures of one answer: the engine's own where it gives them, else what was seen from here."""

    def __init__(self, run: Run) -> None:
        self.usage = Usage()
        self._queued = time.monotonic() - run.started_at
        self._generating: float | None = None
        self._first: float | None = None
        self._latest = 0.0
        self._reported: Timings | None = None

    def generating(self) -> None:
        """The engine was asked to write."""
        self._generating = time.monotonic()

    def take(self, piece: Delta) -> None:
        """Look at a piece as it comes."""
        self._reported = piece.timings or self._reported
        if piece.text:
            self._latest = time.monotonic()
            self._first = self._first or self._latest
            self.usage = replace(self.usage, completion_tokens=self.usage.completion_tokens + 1)
        self.usage = piece.usage or self.usage

    def timings(self) -> Timings:
        """As far as they are known by now."""
        if self._reported is not None:
            return replace(self._reported, queued=self._queued + self._reported.queued)
        if self._generating is None or self._first is None:
            return Timings(queued=self._queued)
        return Timings(self._queued, self._first - self._generating, self._latest - self._first)


def _copy(pieces: Iterator[Delta], run: Run, draft: Draft, clock: _Clock) -> FinishReason:
    for piece in pieces:
        clock.take(piece)
        if piece.text:
            run.count_piece()
            draft.write(piece.text)
        if run.stopping or draft.blocked:
            return FinishReason.CANCELLED
        if piece.finish_reason is not None:
            return piece.finish_reason
    return FinishReason.STOP
