"""The engine for models that run on servers elsewhere: any that speaks OpenAI's chat protocol."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future
from typing import Any

from playground.catalog.spec import ModelSpec
from playground.config import read_key
from playground.domain import Loading, SamplingParams, Stage
from playground.engines.contract import Capabilities, Delta, EngineOptions, Progress, Prompt, ServerHealth
from playground.engines.remote.attempt import Limits
from playground.engines.remote.body import Asked
from playground.engines.remote.connection import Connection
from playground.engines.remote.dispatcher import Dispatcher
from playground.engines.remote.loop_thread import LoopThread
from playground.engines.remote.replica import Replica
from playground.errors import ConfigError, EngineError, ModelLoadError

_BEAT_SECONDS = 0.1  # how often a waiting caller may look whether anybody still wants the answer
_MOST_WAITING = 256  # pieces; a server that is quicker than the gate waits

_ROUNDS, _MOST_ROUNDS = 3, 10
_ALTERNATIVES, _MOST_ALTERNATIVES = 5, 20
_LONGEST_SECONDS = 86_400

_Inbox = queue.SimpleQueue[Delta | None]


class RemoteEngine:
    """Asks the servers of a catalogue row. Nothing is sent before somebody asks; safe to use from many threads.

    `rounds` is how many times all servers are tried for one answer, `alternatives` as in `Capabilities`.

    Raises ModelLoadError when a key is missing in the environment.
    """

    def __init__(self, spec: ModelSpec, limits: Limits, rounds: int, concurrent: int, alternatives: int) -> None:
        keys = [_key(spec, server.key_env) for server in spec.servers]
        self._name = spec.name
        self._capabilities = Capabilities(
            spec.context_length, logprobs=True, concurrent=concurrent, schemas=True, alternatives=alternatives
        )
        self._replicas = tuple(
            Replica(server, server.model or spec.id, Connection(server, key, limits.connect))
            for server, key in zip(spec.servers, keys, strict=True)
        )
        self._dispatcher = Dispatcher(self._replicas, limits, rounds)
        self._loop = LoopThread(f"servers of {spec.id}")
        self._closed = False

    @property
    def capabilities(self) -> Capabilities:
        """The context window is the catalogue's word; servers keep to their own and say so."""
        return self._capabilities

    def servers(self) -> tuple[ServerHealth, ...]:
        """How each server does."""
        return tuple(replica.health() for replica in self._replicas)

    def generate(self, prompt: Prompt, params: SamplingParams, progress: Progress | None = None) -> Iterator[Delta]:
        """An answer of the least busy server. While it waits, empty pieces come several times a second.

        Closing the iterator ends the request at once, whatever it waits for.

        Raises ServerUnreachable, ServerRefused, ServerFailed, RateLimited, FilteredThere, EngineTimeout, ContextTooLong
        or InvalidRequest before the first piece; AnswerCut (or FilteredThere) after it.
        """
        inbox: _Inbox = queue.SimpleQueue()
        task = self._begin(Asked(self._name, prompt, params, self._capabilities.alternatives), inbox)
        try:
            if progress is not None:
                progress(Loading(Stage.PREFILLING))
            while True:
                try:
                    piece = inbox.get(timeout=_BEAT_SECONDS)
                except queue.Empty:
                    yield Delta("")
                    continue
                if piece is None:
                    self._raise_end(task)
                    return
                yield piece
                if piece.finish_reason is not None:
                    return
        finally:
            task.cancel()

    def score(self, token_ids: Sequence[int]) -> list[float]:
        """Raises EngineError: servers are asked in words, not in tokens."""
        del token_ids
        raise EngineError(f"{self._name} runs on a server, which scores no tokens. Choose a model that runs here.")

    def close(self) -> None:
        """End every request and give the connections back; may be called twice."""
        self._closed = True
        self._loop.close(self._close_connections)

    def _begin(self, asked: Asked, inbox: _Inbox) -> Future[None]:
        async def put(piece: Delta) -> None:
            inbox.put(piece)
            while inbox.qsize() > _MOST_WAITING:  # noqa: ASYNC110  the other side is a thread: it sets no asyncio.Event
                await asyncio.sleep(_BEAT_SECONDS / 10)

        if self._closed:
            raise self._unloaded()
        try:
            task = self._loop.submit(self._dispatcher.answer(asked, put))
        except RuntimeError:
            raise self._unloaded() from None
        task.add_done_callback(lambda _: inbox.put(None))
        return task

    def _raise_end(self, task: Future[None]) -> None:
        try:
            task.result()
        except CancelledError:
            raise self._unloaded() from None

    def _unloaded(self) -> EngineError:
        return EngineError(f"{self._name} was unloaded. Send the message again to load it.")

    async def _close_connections(self) -> None:
        for replica in self._replicas:
            await replica.connection.close()


def open_remote_engine(spec: ModelSpec, options: EngineOptions) -> RemoteEngine:
    """The engine for a row. Its `engine_options` are `connect_seconds` (10), `first_token_seconds` (120),
    `between_tokens_seconds` (60), `rounds` (3) and `alternatives` (5).

    Raises ModelLoadError when a key is missing, ValueError for an option out of range.
    """
    chosen: dict[str, Any] = dict(spec.engine_options)
    rounds = chosen.pop("rounds", _ROUNDS)
    if not 1 <= rounds <= _MOST_ROUNDS:
        raise ValueError(f"rounds is {rounds}; it must be from 1 to {_MOST_ROUNDS}.")
    alternatives = chosen.pop("alternatives", _ALTERNATIVES)
    if not 0 <= alternatives <= _MOST_ALTERNATIVES:
        raise ValueError(f"alternatives is {alternatives}; it must be from 0 to {_MOST_ALTERNATIVES}.")
    for name, value in chosen.items():
        if not 0 < value <= _LONGEST_SECONDS:
            raise ValueError(f"{name} is {value:g}; it must be above 0 and at most {_LONGEST_SECONDS:,}.")
    limits = Limits(**{name.removesuffix("_seconds"): float(value) for name, value in chosen.items()})
    return RemoteEngine(spec, limits, rounds, options.max_batch, alternatives)


def _key(spec: ModelSpec, name: str) -> str:
    if not name:
        return ""
    try:
        return read_key(name)
    except ConfigError as error:
        raise ModelLoadError(f"{spec.name} cannot be used: {error}") from error
