"""A model that computes here, whatever runs its layers: prompts in, answers out, many at once."""

from __future__ import annotations

import queue
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from playground.domain import Loading, Queued, SamplingParams
from playground.engines import sequence as sequences
from playground.engines.contract import Capabilities, Delta, Look, Progress, Prompt
from playground.engines.detokenizer import TokenTable, Vocabulary
from playground.engines.engine_loop import EngineLoop
from playground.engines.grammar import Grammar, GrammarMaker
from playground.engines.reading import Looks, Scores
from playground.engines.runner import Runner
from playground.engines.sequence import Event
from playground.errors import (
    ContextTooLong,
    EngineError,
    InvalidRequest,
    ModelLoadError,
    OutOfMemory,
    PlaygroundError,
)

_GREEDY = SamplingParams(temperature=0.0)


class LocalEngine:
    """Answers many prompts at once with one runner. Every request has a listener; one thread computes for all."""

    def __init__(self, runner: Runner, table: TokenTable, eos_ids: frozenset[int], *, max_batch: int) -> None:
        self._vocabulary = Vocabulary(table, eos_ids, runner.vocab_size)
        self._grammars = GrammarMaker(self._vocabulary)
        self._capabilities = Capabilities(
            context_length=runner.capacity, logprobs=True, concurrent=max_batch, schemas=bool(eos_ids)
        )
        self._loop = EngineLoop(runner, eos_ids, max_batch=max_batch)

    @property
    def capabilities(self) -> Capabilities:
        """The context length is what the model was made for, or what the memory for keys and values holds."""
        return self._capabilities

    @property
    def written(self) -> int:
        """Tokens computed for answers since the model was loaded."""
        return self._loop.written

    def generate(self, prompt: Prompt, params: SamplingParams, progress: Progress | None = None) -> Iterator[Delta]:
        """Write an answer; it ends with LENGTH at `max_tokens` or at the end of the context.

        A beginning that is given counts, but at least one token is added to it, unless it ends the answer.

        Raises ContextTooLong when the prompt leaves no room for an answer, InvalidRequest for ids that are no tokens,
        BadSchema for a schema that answers cannot be held to.
        """
        token_ids = list(prompt.token_ids)
        limit = min(max(1, params.max_tokens - prompt.answered), self._room(token_ids))
        beginning = token_ids[len(token_ids) - prompt.answered :]
        grammar = None if params.schema is None else self._grammars.make(params.schema, limit, beginning)
        job = self._sequence(token_ids, params, limit, prompt.answered, grammar)
        if job.finish is not None:
            yield job.last_delta()
            return
        for event in self._events(job):
            if isinstance(event, Delta):
                yield event
            elif progress is not None and not isinstance(event, list):
                progress(event)

    def score(self, token_ids: Sequence[int]) -> list[float]:
        """Natural-log probability of every token after the first, given those before it.

        Raises ContextTooLong and InvalidRequest as `generate` does.
        """
        self._room(token_ids)
        job = self._sequence(list(token_ids), _GREEDY, 0)
        job.reading = Scores(job.prompt)
        return next(event for event in self._events(job) if isinstance(event, list))

    def look(self, prompt: Prompt, params: SamplingParams, *, first: int, count: int) -> list[Look]:
        """What the model holds possible at the answer's places from `first` on.

        Raises ContextTooLong and InvalidRequest as `generate` does, the latter also for a place that is not there.
        """
        self._room(prompt.token_ids)
        begin = len(prompt.token_ids) - prompt.answered
        if not 0 <= first <= prompt.answered or begin < 1:
            raise InvalidRequest(f"The answer has no place {first}; it has {prompt.answered} tokens. Reload the page.")
        job = self._sequence(list(prompt.token_ids), params, 0)
        job.reading = Looks(job.prompt, params, self._vocabulary.size, first=begin + first, chosen=first, count=count)
        return next(event for event in self._events(job) if isinstance(event, list))

    def close(self) -> None:
        """End the engine's thread; answers under way fail."""
        self._loop.close()

    def _sequence(
        self,
        token_ids: list[int],
        params: SamplingParams,
        limit: int,
        answered: int = 0,
        grammar: Grammar | None = None,
    ) -> sequences.Sequence:
        return sequences.Sequence(token_ids, params, limit, self._vocabulary, answered=answered, grammar=grammar)

    def _events(self, job: sequences.Sequence) -> Iterator[Delta | list[Any] | Loading | Queued]:
        inbox: queue.SimpleQueue[Event] = queue.SimpleQueue()
        job.listener = inbox.put
        self._loop.add(job)
        finished = False
        try:
            while not finished:
                event = inbox.get()
                finished = isinstance(event, list | PlaygroundError) or (
                    isinstance(event, Delta) and event.finish_reason is not None
                )
                if isinstance(event, PlaygroundError):
                    raise type(event)(str(event))
                yield event
        finally:
            if not finished:
                self._loop.cancel(job)

    def _room(self, token_ids: Sequence[int]) -> int:
        """How many tokens may follow the prompt."""
        if not token_ids or min(token_ids) < 0 or max(token_ids) >= self._vocabulary.size:
            raise InvalidRequest(
                "The prompt is empty or has token ids that this model does not know. Send text instead."
            )
        room = self._capabilities.context_length - len(token_ids)
        if room < 1:
            raise ContextTooLong(
                f"The prompt has {len(token_ids)} tokens; this model takes {self._capabilities.context_length} "
                "including the answer. Shorten the message or start a new conversation."
            )
        return room


def warm_up(runner: Runner, name: str) -> None:
    """Run both shapes once: it shows whether the graph works, and the first answer does not pay for a first run."""
    try:
        logits = runner.prefill(0, 0, [0, 0], every=True)
        sound = bool(np.isfinite(logits).all())
        batch = runner.batch(0, 1)
        batch.ids[:], batch.lengths[:] = 0, 3
        batch.run()
    except OutOfMemory:
        raise
    except EngineError as error:
        raise ModelLoadError(f"The model {name} fails on its first token. Convert or download it again.") from error
    if not sound:
        raise ModelLoadError(f"The model {name} computes values that are no numbers. Convert or download it again.")
    runner.cache.release(0)
