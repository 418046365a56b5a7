"""The work of a run: from a stored question to a stored answer, through an engine and the gate."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, cast

from playground.catalog.spec import ModelSpec
from playground.chat import prompting
from playground.chat.draft import Draft
from playground.chat.keeping import AnswerStore, Unkept, keep_trying
from playground.chat.masking import answer_mask
from playground.chat.run import Run
from playground.chat.thoughts import opened_by
from playground.chat.trail_book import TrailBook
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
from playground.errors import (
    AnswerCut,
    Cancelled,
    InternalError,
    InvalidRequest,
    NoSchemas,
    PlaygroundError,
    WorkerDied,
)
from playground.log import FACTS
from playground.moderation.contract import Moderator, OutputGuard
from playground.moderation.fingerprint import Fingerprint
from playground.moderation.redaction import guess_language
from playground.storage.decisions import DecisionStore

log = logging.getLogger(__name__)

CUT = (WorkerDied, AnswerCut)  # failures in the middle of an answer: what came until then stays


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


class Preparation(Protocol):
    """Who makes models ready: the part of `library.library.Library` that answering needs."""

    def prepare(
        self, spec: ModelSpec, progress: Progress, cancelled: Callable[[], bool], *, fetch: bool = True
    ) -> ModelSpec:
        """The row to load: downloaded and converted if need be, with stages told. Raises Cancelled when stopped.

        Without `fetch` a model that is not here raises ModelAbsent.
        """
        ...


@dataclass(frozen=True, slots=True)
class Task:
    """What a run has to do. `branch` ends with the question; `answer` is the stored, empty message to fill.

    `beginning` are the tokens that the answer begins with. `conversation_id` None: nothing of it is kept.
    """

    spec: ModelSpec
    branch: tuple[Message, ...]
    answer: Message
    params: SamplingParams
    system_prompt: str
    language: Language
    conversation_id: str | None
    beginning: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """How a run ended, in figures. `outcome` is the code of an error, `blocked`, or a finish reason.

    `first_token` and `first_text` are seconds from the question to the model's first token and to the first text that
    was released; None when none came.
    """

    model_id: str
    outcome: str
    usage: Usage
    timings: Timings
    first_token: float | None
    first_text: float | None


Observe = Callable[[Answered], None]


def unobserved(answer: Answered) -> None:
    """Nobody counts."""


class Answerer:
    """Writes answers. One for the server; every run calls `answer` in a thread of its own. `observe` hears of each.

    `trails` keeps what servers tell about the tokens of answers in conversations (None: they are not asked).
    `fingerprint` makes the hashes by which a later look knows prompt and answer again.
    """

    def __init__(
        self,
        engines: EngineSource,
        models: Preparation | None,
        moderator: Moderator,
        store: AnswerStore,
        decisions: DecisionStore,
        *,
        observe: Observe = unobserved,
        trails: TrailBook | None = None,
        fingerprint: Fingerprint | None = None,
    ) -> None:
        self._engines = engines
        self._models = models
        self._moderator = moderator
        self._store = store
        self._decisions = decisions
        self._observe = observe
        self._trails = trails
        self._fingerprint = fingerprint or Fingerprint()

    def over(self, store: AnswerStore, trails: TrailBook | None) -> Answerer:
        """The same, with its answers in another store."""
        return Answerer(
            self._engines,
            self._models,
            self._moderator,
            store,
            self._decisions,
            observe=self._observe,
            trails=trails,
            fingerprint=self._fingerprint,
        )

    def answer(self, run: Run, task: Task) -> None:
        """Do the task; the run has ended when this returns, however it went. Raises nothing."""

        language = guess_language(task.branch[-1].content, task.language)
        asked = [message.content for message in task.branch]

        def new_guard() -> OutputGuard:
            return self._moderator.guard(Direction.OUTPUT, context=asked, language=language, model_id=task.spec.id)

        store = Unkept() if task.conversation_id is None else self._store
        tells = task.params.logprobs is not None
        mask = answer_mask(self._moderator, asked, task.language, task.spec.id) if tells else None
        # Held to a schema, a model thinks nothing; what looks like a tag is part of the document.
        tags = task.spec.reasoning_tags if task.params.schema is None else None
        draft = Draft(run, task.answer, store, new_guard, tags, mask=mask)
        outcome = _Outcome(run)
        failure = _attempt(run, lambda: self._write(run, task, draft, outcome))
        failure = _attempt(run, draft.close) or failure
        self._keep_trail(task, draft)
        unkept = _attempt(run, lambda: self._record(run, task, draft))
        reason = run.stop_reason or outcome.reason
        if unkept is not None and draft.told:  # nobody is told of a decision that nobody can look up
            failure = unkept
        elif failure is None or draft.blocked:
            failure = _attempt(run, lambda: draft.end(reason, outcome.usage, outcome.timings()))
        if failure is not None:
            draft.fail(failure, FinishReason.INTERRUPTED if isinstance(failure, CUT) else FinishReason.ERROR)
        ended = failure.code if failure is not None else "blocked" if draft.blocked else reason.value
        self._tell(
            run, Answered(task.spec.id, ended, outcome.usage, outcome.timings(), run.first_token, run.first_text)
        )

    def _write(self, run: Run, task: Task, draft: Draft, outcome: _Outcome) -> None:
        """Let the engine write into the draft until it ends, is stopped or is blocked."""

        def tell(event: Loading | Queued) -> None:
            _stop_here(run)
            run.emit(event)

        _stop_here(run)
        spec = self._models.prepare(task.spec, tell, lambda: run.stopping) if self._models else task.spec
        with self._engines.acquire(spec, tell, lambda: run.stopping) as engine:
            tokenizer = self._engines.tokenizer(spec)
            built = prompting.build(
                task.branch,
                spec,
                task.params,
                system_prompt=task.system_prompt,
                tokenizer=tokenizer,
                context_length=engine.capabilities.context_length,  # memory may allow less than the model was made for
                beginning=task.beginning,
            )
            draft.dropped_messages = built.dropped_messages
            _check_able(spec, engine, task.params)
            _stop_here(run)
            params = self._telling(task, draft, engine, built.params)
            asked = built.prompt.token_ids[: len(built.prompt.token_ids) - built.prompt.answered]
            outcome.begin(len(asked))
            if asked:
                draft.received = self._fingerprint.of_tokens(asked)
            if task.params.schema is None and opened_by(tokenizer, asked, spec.reasoning_tags):
                draft.begin_with_thoughts()
            generated = engine.generate(built.prompt, params, tell)
            with closing(cast("Generator[Delta]", generated)) as pieces:
                for piece in pieces:
                    outcome.take(piece)
                    if piece.token_ids:
                        draft.written = self._fingerprint.of_tokens(piece.token_ids)
                    if piece.text or piece.reasoning:
                        run.count_piece()
                    if piece.text or piece.reasoning or piece.logprobs:
                        draft.write(piece.text, piece.reasoning, piece.logprobs)
                    if run.stopping or draft.blocked or piece.finish_reason is not None:
                        return

    def _telling(self, task: Task, draft: Draft, engine: Engine, params: SamplingParams) -> SamplingParams:
        """The settings to ask with, so that the answer of a model on a server can be looked into later."""
        if self._trails is None or task.conversation_id is None or not task.spec.servers:
            return params
        draft.keep_tokens()
        alternatives = engine.capabilities.alternatives
        return replace(params, logprobs=max(alternatives, params.logprobs or 0)) if alternatives else params

    def _keep_trail(self, task: Task, draft: Draft) -> None:
        trail = draft.trail
        if self._trails is not None and task.conversation_id is not None and trail is not None:
            self._trails.keep(task.answer.id, task.conversation_id, trail)

    def _tell(self, run: Run, answer: Answered) -> None:
        self._observe(answer)
        elapsed = run.snapshot().elapsed
        facts = {
            "run": run.id,
            "model": answer.model_id,
            "outcome": answer.outcome,
            "seconds": round(elapsed, 3),
            "prompt_tokens": answer.usage.prompt_tokens,
            "completion_tokens": answer.usage.completion_tokens,
        }
        told = {FACTS: facts}
        log.info("run %s of %s: %s after %.2f s", run.id, answer.model_id, answer.outcome, elapsed, extra=told)

    def _record(self, run: Run, task: Task, draft: Draft) -> None:
        record = partial(
            self._decisions.record,
            draft.verdicts,
            owner=run.owner,
            language=task.language,
            model_id=task.spec.id,
            conversation_id=task.conversation_id,
        )
        keep_trying(record, run)


class _Outcome:
    """How an answer ended and its figures: the engine's own where it gives them, else what was seen from here."""

    def __init__(self, run: Run) -> None:
        self.reason = FinishReason.STOP
        self.usage = Usage()
        self._queued = time.monotonic() - run.started_at
        self._began = self._first = self._latest = 0.0
        self._reported: Timings | None = None

    def begin(self, prompt_tokens: int) -> None:
        """The engine is asked to write."""
        self.usage = Usage(prompt_tokens)
        self._began = time.monotonic()

    def take(self, piece: Delta) -> None:
        """Look at a piece as it comes."""
        if piece.text or piece.reasoning:
            self._latest = time.monotonic()
            self._first = self._first or self._latest
            self.usage = replace(self.usage, completion_tokens=self.usage.completion_tokens + 1)
        self.usage = piece.usage or self.usage
        self._reported = piece.timings or self._reported
        self.reason = piece.finish_reason or self.reason

    def timings(self) -> Timings:
        """As far as they are known."""
        if self._reported is not None:
            return replace(self._reported, queued=self._queued + self._reported.queued)
        if not self._first:
            return Timings(queued=self._queued)
        return Timings(self._queued, self._first - self._began, self._latest - self._first)


def _check_able(spec: ModelSpec, engine: Engine, params: SamplingParams) -> None:
    if params.logprobs is not None and not engine.capabilities.logprobs:
        raise InvalidRequest(f"{spec.name} cannot tell log-probabilities. Ask without logprobs, or another model.")
    if params.schema is not None and not engine.capabilities.schemas:
        raise NoSchemas(f"Answers of {spec.name} cannot be held to a schema. Ask without one, or another model.")


def _stop_here(run: Run) -> None:
    if run.stopping:
        raise Cancelled("The answer was stopped.")


def _attempt(run: Run, step: Callable[[], None]) -> PlaygroundError | None:
    """Do one step of an answer; what goes wrong comes back as an error with a sentence. Being stopped is no error."""
    try:
        step()
    except Cancelled:
        return None
    except PlaygroundError as error:
        log.warning("run %s: %s", run.id, error.code)
        return error
    except Exception as error:  # noqa: BLE001  the last line of a thread: whatever it is becomes a typed error
        place = traceback.extract_tb(error.__traceback__)[-1]
        what = type(error).__name__  # and not its text, which may quote what people wrote
        log.error("run %s: %s in %s, line %s", run.id, what, place.name, place.lineno)  # noqa: TRY400
        return InternalError()
    return None
