"""Batches that the server works on by itself, one at a time: begun, followed, halted and gone on with on the page."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from playground.arena.duel import Duel, Progress
from playground.arena.parts import ArenaParts
from playground.domain import utc_now
from playground.errors import BadQuestions, Busy, InvalidRequest, OutOfMemory, PlaygroundError
from playground.storage.duels import KeptDuel, Tally

MOST_QUESTIONS = 500
MOST_MODELS = 6
CLOSE_SECONDS = 10.0
"""How long the end of the server waits for the answers of a batch; what is left ends with all other answers."""
Stage = Literal["checking", "asking", "halting", "open", "answered"]


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as it is right now.

    `stage`: its questions are at the gate, a model (`model_id`) is asked, it is about to halt, answers are missing and
    nobody works on it, or there is nothing more to ask. `done` of `total` answers are there, or will not be; while the
    questions are at the gate these count questions. `held_back` are questions that the gate stopped, `first` is the
    first one it let through. `problem` is why it ended early. Of `tally`, see `storage.duels`.
    """

    id: str
    models: tuple[str, ...]
    questions: int
    stage: Stage
    done: int
    total: int
    tally: Tally
    created_at: datetime
    held_back: int = 0
    first: str = ""
    model_id: str = ""
    problem: PlaygroundError | None = None


class _Job(threading.Thread):
    """A batch that is being worked on."""

    def __init__(self, duel: Duel, questions: int, models: Sequence[str]) -> None:
        super().__init__(name="batch", daemon=True)
        self.duel, self.questions, self.models = duel, questions, tuple(models)
        self.created_at = utc_now()
        self.progress = Progress("", 0, questions)
        self.problem: PlaygroundError | None = None
        self.halted = threading.Event()

    def run(self) -> None:
        """To its end, or until it is halted."""
        try:
            self.duel.run(self._keep, self.halted.is_set)
        except PlaygroundError as error:
            self.problem = error

    def _keep(self, progress: Progress) -> None:
        self.progress = progress

    @property
    def stage(self) -> Stage:
        """What it is doing."""
        return "halting" if self.halted.is_set() else "asking" if self.progress.model_id else "checking"


class Batches:
    """Safe to use from many threads. Every method may raise StorageError."""

    def __init__(self, parts: ArenaParts) -> None:
        self._parts = parts
        self._lock = threading.Lock()
        self._job: _Job | None = None

    def begin(self, questions: Sequence[str], models: Sequence[str]) -> str:
        """Work on a new batch, or go on with the same one; returns its id.

        Raises InvalidRequest, UnknownModel, OutOfMemory (one of the models does not fit), Busy while another batch is
        being worked on.
        """
        self._check(questions, models)
        duel = Duel(self._parts, questions, models)
        self._work(_Job(duel, len(set(questions)), tuple(dict.fromkeys(models))))
        return duel.id

    def go_on(self, duel_id: str) -> None:
        """Ask what is missing in a batch. Raises UnknownConversation, UnknownModel, OutOfMemory, Busy."""
        kept = self._parts.duels.get(duel_id)
        self._check([question for question in kept.questions if question], kept.models)
        self._work(_Job(Duel.again(self._parts, duel_id), len(kept.questions), kept.models))

    def halt(self, duel_id: str) -> None:
        """Stop asking; what is there stays, and the pairs that are complete can be graded."""
        with self._lock:
            if self._job is not None and self._job.duel.id == duel_id:
                self._job.halted.set()

    def listed(self, owner: str) -> list[Batch]:
        """All batches, the newest first, with their grades as `owner` sees them."""
        with self._lock:
            job = self._job
        # Before anything is read: what a job that has ended by then wrote is all there.
        working = job is not None and job.is_alive()
        kept = self._parts.duels.listed()
        tallies = self._parts.duels.tallies(owner, [one.id for one in kept])
        found = [_batch(one, tallies[one.id]) for one in kept]
        if job is None:
            return found
        if job.duel.id not in tallies and (working or job.problem):
            found.insert(0, _unkept(job))
        state = _worked_on if working else _ended
        return [state(one, job) if one.id == job.duel.id else one for one in found]

    def close(self) -> None:
        """Halt, and wait for a while until the answers that were being written have ended."""
        with self._lock:
            job = self._job
        if job is not None:
            job.halted.set()
            job.join(CLOSE_SECONDS)

    def _work(self, job: _Job) -> None:
        with self._lock:
            if self._job is not None and self._job.is_alive():
                raise Busy("A batch is being worked on already. Stop it first, or wait until it is done.")
            self._job = job
            job.start()

    def _check(self, questions: Sequence[str], models: Sequence[str]) -> None:
        if len(set(questions)) > MOST_QUESTIONS:
            raise BadQuestions(f"A batch has at most {MOST_QUESTIONS} questions. Split the file.", "many")
        if len(set(models)) > MOST_MODELS:
            raise InvalidRequest(f"A batch has at most {MOST_MODELS} models. Choose fewer.")
        for spec in [self._parts.catalog.get(name) for name in models]:
            if not spec.offered:
                raise InvalidRequest(f"{spec.name} is not a model to talk to here. Choose another one.")
            refusal = self._parts.memory.refusal(spec)
            if refusal:
                raise OutOfMemory(refusal)


def _batch(kept: KeptDuel, tally: Tally) -> Batch:
    held_back = sum(question is None for question in kept.questions)
    done = tally.answers + held_back * len(kept.models)
    total = len(kept.models) * len(kept.questions)
    first = next((question for question in kept.questions if question), "")
    return Batch(
        id=kept.id,
        models=kept.models,
        questions=len(kept.questions),
        stage="answered" if done >= total else "open",
        done=done,
        total=total,
        tally=tally,
        created_at=kept.created_at,
        held_back=held_back,
        first=first,
    )


def _unkept(job: _Job) -> Batch:
    """One whose questions have not all been at the gate."""
    return Batch(job.duel.id, job.models, job.questions, "open", 0, job.questions, Tally(), job.created_at)


def _ended(batch: Batch, job: _Job) -> Batch:
    return replace(batch, problem=job.problem)


def _worked_on(batch: Batch, job: _Job) -> Batch:
    now = job.progress
    return replace(batch, stage=job.stage, model_id=now.model_id, done=now.done, total=now.total)
