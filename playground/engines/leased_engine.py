"""An engine whose model computes on a card that is lent for each answer; this is the server's side."""

from __future__ import annotations

import contextvars
import queue
import re
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import cast

from playground.catalog.spec import ModelSpec
from playground.domain import Loading, SamplingParams, Stage
from playground.engines.contract import Capabilities, Delta, EngineOptions, Look, Progress, Prompt
from playground.engines.lease import Failure, Job, Lease, Looks, Piece, Reading, affordable_tokens
from playground.engines.wire import unpack_error
from playground.errors import EngineError, GpuQuotaSpent, GpuTimeSpent, NoGpuFree, PlaygroundError, WorkerDied

_LIFE_SECONDS = 0.5
_QUOTA = (
    GpuQuotaSpent,
    (
        "The time on the graphics card that you have for today is used up. Log in to Hugging Face for more, come back "
        "later, or choose a model that runs on the CPU."
    ),
)
_TIME = (
    GpuTimeSpent,
    (
        "The answer needs more time on the graphics card than is given. Lower the longest answer in the settings, or "
        "choose a smaller model."
    ),
)
_BUSY = NoGpuFree, "No graphics card is free right now. Try again in a minute."
_DIED = WorkerDied, "The process on the graphics card ended. Send the message again; it is started anew."
# What the package says, by its title and then by its words: the first that is found.
_SAID: tuple[tuple[str, tuple[type[EngineError], str]], ...] = (
    (r"No GPU was available|queue timeout", _BUSY),
    (r"illegal duration|GPU task aborted", _TIME),
    (r"quota exceeded|credits exceeded|proxy token", _QUOTA),
    (r"worker error", _DIED),
)


class LeasedEngine:
    """Asks for a card for every answer and every look into one, and gives it back after it."""

    def __init__(self, spec: ModelSpec, options: EngineOptions, lease: Lease) -> None:
        self._spec = spec
        self._options = options
        self._lease = lease

    @property
    def capabilities(self) -> Capabilities:
        """As far as the catalogue knows the model: the card may turn out to hold less context."""
        return Capabilities(self._spec.context_length, logprobs=True, concurrent=self._options.max_batch, schemas=True)

    def generate(self, prompt: Prompt, params: SamplingParams, progress: Progress | None = None) -> Iterator[Delta]:
        """Write an answer, no longer than the card can be had for; it then ends with LENGTH.

        Raises GpuQuotaSpent, GpuTimeSpent and NoGpuFree, and what engines raise.
        """
        job = Job(self._spec, self._options, prompt, params)
        job = replace(job, params=replace(params, max_tokens=min(params.max_tokens, affordable_tokens(job))))
        if progress is not None:
            progress(Loading(Stage.LEASING))
        for piece in self._pieces(job):
            if isinstance(piece, Delta):
                yield piece
            elif isinstance(piece, Loading) and progress is not None:
                progress(piece)

    def look(self, prompt: Prompt, params: SamplingParams, *, first: int, count: int) -> list[Look]:
        """What the model holds possible at the answer's places from `first` on; a card is lent for that, too.

        Raises as `generate` does.
        """
        job = Job(self._spec, self._options, prompt, params, Reading(first, count))
        for piece in self._pieces(job):
            if isinstance(piece, Looks):
                return piece.found
        raise _DIED[0](_DIED[1])

    def _pieces(self, job: Job) -> Iterator[Piece]:
        lent = _Lent(job, self._lease)
        try:
            for piece in lent.pieces():
                if isinstance(piece, Failure):
                    raise unpack_error([piece.code, piece.sentence])
                yield piece
        finally:
            lent.abandoned.set()

    def score(self, token_ids: Sequence[int]) -> list[float]:
        """Nothing: cards are lent for answers and looks into them."""
        del token_ids
        raise EngineError(f"{self._spec.name} writes on a lent graphics card, which is not asked for scores.")

    def close(self) -> None:
        """Nothing to give back: the card is not held between two answers."""


@dataclass(slots=True)
class _Lent:
    """One call, made on a thread of its own: waiting for a card cannot be interrupted, but it can be abandoned."""

    job: Job
    lease: Lease
    abandoned: threading.Event = field(default_factory=threading.Event)
    inbox: queue.SimpleQueue[Piece | Exception | None] = field(default_factory=queue.SimpleQueue)

    def pieces(self) -> Iterator[Piece]:
        """What comes; an empty Delta now and then while nothing does."""
        # Whose share of the card is used is known from the request that asked, which is a context variable.
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(self._pump,), name="lent card", daemon=True).start()
        while True:
            try:
                piece = self.inbox.get(timeout=_LIFE_SECONDS)
            except queue.Empty:
                yield Delta("")
                continue
            if isinstance(piece, PlaygroundError):
                raise piece
            if isinstance(piece, Exception):
                raise refusal(piece) from piece
            if piece is None:
                return
            yield piece

    def _pump(self) -> None:
        """Take pieces until they end or nobody wants them; closing the call then gives the card back."""
        end: Exception | None = None
        try:
            with closing(cast("Generator[Piece]", self.lease.call(self.job))) as pieces:
                for piece in pieces:
                    if self.abandoned.is_set():
                        return
                    self.inbox.put(piece)
        except Exception as error:  # noqa: BLE001  raised again, typed, where the pieces are read
            end = error
        finally:
            self.inbox.put(end)


def refusal(error: Exception) -> EngineError:
    """What the package that lends cards raised, as an error of ours. Its words are for Gradio's pop-ups."""
    said = f"{getattr(error, 'title', '')} {getattr(error, 'message', '')}"
    for pattern, (kind, sentence) in _SAID:
        if re.search(pattern, said):
            return kind(sentence)
    return EngineError(f"The graphics card could not be used ({type(error).__name__}). Try again in a minute.")
