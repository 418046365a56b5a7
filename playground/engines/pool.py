"""Which models are loaded: started when asked for, shared, evicted when idle, restarted after a crash."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal

from playground.catalog.spec import ModelSpec
from playground.domain import Loading, Queued, Stage
from playground.engines.contract import Device, Engine, EngineOptions, Progress, Replicated, ServerHealth, Tokenizer
from playground.engines.lease import Lease
from playground.engines.leased_engine import LeasedEngine
from playground.engines.registry import kind_of
from playground.engines.worker_engine import WorkerEngine
from playground.errors import Cancelled, EngineError, ModelLoadError, PlaygroundError

logger = logging.getLogger(__name__)

LoadState = Literal["starting", "ready"]

# After somebody has waited this long for room, newcomers no longer overtake: a busy model drains and makes room.
PATIENCE_SECONDS = 10.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A line of `EnginePool.status()`. `pid` is None and `memory_bytes` 0 for engines inside the server process.

    `active` counts who holds the engine right now. `servers` is how each server of a remote model does.
    """

    model_id: str
    state: LoadState
    pid: int | None
    memory_bytes: int
    active: int
    servers: tuple[ServerHealth, ...] = ()


@dataclass(slots=True, eq=False)
class _Slot:
    """A model that is loaded or being loaded; `dropped` once nobody may take it any more."""

    spec: ModelSpec
    stage: Loading = field(default_factory=lambda: Loading(Stage.LOADING))
    engine: Engine | None = None
    error: PlaygroundError | None = None
    dropped: bool = False
    active: int = 0
    last_used: float = field(default_factory=time.monotonic)

    @property
    def dead(self) -> bool:
        return isinstance(self.engine, WorkerEngine) and not self.engine.alive

    @property
    def here(self) -> bool:
        """Whether the model takes this machine's memory; one that runs elsewhere takes nobody's place."""
        return kind_of(self.spec).here

    @property
    def idle(self) -> bool:
        return self.engine is not None and self.active == 0


@dataclass(slots=True, eq=False)
class _Ticket:
    """Somebody who waits for a model, in the order of arrival."""

    spec: ModelSpec
    slot: _Slot | None = None
    since: float = field(default_factory=time.monotonic)


class EnginePool:
    """Loaded models, at most `max_models` of them beside those that run elsewhere. Safe to use from many threads.

    `idle_seconds` without use unloads a model (0: never). Loading fails after `start_seconds`; an answer fails after
    `stall_seconds` without a sign of life. `in_process` runs every engine inside this process, without a worker.
    `device_of` says where a model computes (None: where `options` say, for every model); it may raise ModelLoadError.
    `lease` is a card that is lent for each answer: the engines it names run on it, whatever `in_process` says.
    """

    def __init__(
        self,
        options: EngineOptions,
        *,
        max_models: int,
        idle_seconds: float,
        start_seconds: float,
        stall_seconds: float,
        in_process: bool = False,
        device_of: Callable[[ModelSpec], Device] | None = None,
        lease: Lease | None = None,
    ) -> None:
        self._options = options
        self._lease = lease
        self._device_of = device_of
        self._max_models = max_models
        self._idle_seconds = idle_seconds
        self._start_seconds = start_seconds
        self._stall_seconds = stall_seconds
        self._in_process = in_process
        self._changed = threading.Condition()
        self._slots: dict[str, _Slot] = {}
        self._line: list[_Ticket] = []
        self._tokenizers: dict[str, tuple[ModelSpec, Tokenizer]] = {}
        self._restarts: Counter[str] = Counter()
        self._reaper: threading.Thread | None = None
        self._closed = False

    @contextmanager
    def acquire(
        self, spec: ModelSpec, progress: Progress | None = None, cancelled: Callable[[], bool] | None = None
    ) -> Iterator[Engine]:
        """The engine of a model, loaded if need be, for as long as the context lasts.

        `progress` hears the place in line and the stages of loading, on the calling thread. Raises Cancelled as soon
        as `cancelled()` says so; ModelLoadError, OutOfMemory or EngineTimeout when the model cannot be loaded.
        """
        slot, engine = self._take(spec, progress or _ignore, cancelled or _never)
        try:
            yield engine
        finally:
            with self._changed:
                slot.active -= 1
                slot.last_used = time.monotonic()
                self._changed.notify_all()

    def tokenizer(self, spec: ModelSpec) -> Tokenizer | None:
        """The model's tokenizer in this process, or None when its engine tokenises elsewhere. Raises ModelLoadError."""
        kind = kind_of(spec)
        if kind.tokenizer is None:
            return None
        with self._changed:
            read, known = self._tokenizers.get(spec.id, (spec, None))
        if known is None or (read.path, read.engine_options) != (spec.path, spec.engine_options):
            known = kind.tokenizer(spec)
            with self._changed:
                self._tokenizers[spec.id] = spec, known
        return known

    def options_for(self, spec: ModelSpec) -> EngineOptions:
        """What a model's engine is given, with the device it computes on. Raises ModelLoadError."""
        return self._options if self._device_of is None else replace(self._options, device=self._device_of(spec))

    def status(self) -> list[LoadedModel]:
        """What is loaded right now, the longest loaded first."""
        with self._changed:
            seen = [(slot.spec.id, slot.engine, slot.active) for slot in self._slots.values()]
        return [_status(model_id, engine, active) for model_id, engine, active in seen]

    def restarts(self) -> dict[str, int]:
        """How often the worker of each model had ended by itself and was started again."""
        with self._changed:
            return dict(self._restarts)

    def unload(self, model_id: str) -> None:
        """End a model's engine now, also under those who use it (they get an EngineError). Unknown ids are ignored."""
        with self._changed:
            slot = self._drop(model_id)
        if slot is not None and slot.engine is not None:
            slot.engine.close()

    def close(self) -> None:
        """Unload everything and refuse further use; may be called twice."""
        with self._changed:
            self._closed = True
            loaded = list(self._slots)
        for model_id in loaded:
            self.unload(model_id)

    def _take(self, spec: ModelSpec, progress: Progress, cancelled: Callable[[], bool]) -> tuple[_Slot, Engine]:
        ticket = _Ticket(spec)
        told: Loading | Queued | None = None
        with self._changed:
            self._line.append(ticket)
        try:
            while True:
                with self._changed:
                    taken = self._look(ticket)
                    news = self._news(ticket)
                if taken is not None:
                    return taken
                if news != told:
                    told = news
                    progress(news)
                if cancelled():
                    raise Cancelled(f"{spec.name} is no longer waited for. Send the message again to ask it.")
                with self._changed:
                    self._changed.wait(_POLL_SECONDS)
        finally:
            with self._changed:
                self._line.remove(ticket)
                self._changed.notify_all()

    def _look(self, ticket: _Ticket) -> tuple[_Slot, Engine] | None:
        """Take the engine if it is ready, begin to load it if there is room. Holds the lock, never blocks."""
        if self._closed:
            raise EngineError("The playground is shutting down. Start it again to go on.")
        if ticket.slot is not None and ticket.slot.error is not None:
            raise type(ticket.slot.error)(str(ticket.slot.error)) from ticket.slot.error
        earlier = self._line[: self._line.index(ticket)]
        slot = self._slots.get(ticket.spec.id)
        if slot is not None and slot.dead:
            logger.warning("the worker of %s ended; it is started again", ticket.spec.id)
            self._drop(ticket.spec.id)
            self._restarts[ticket.spec.id] += 1
            slot = self._begin(ticket.spec, slot)
        elif slot is not None and slot.idle and slot.spec.path != ticket.spec.path:  # it was fetched anew
            self._drop(ticket.spec.id)
            slot = self._begin(ticket.spec, slot)
        elif slot is None and not (kind_of(ticket.spec).here and self._anybody_new(earlier)):
            slot = self._make_room(ticket.spec, {other.spec.id for other in earlier})
        ticket.slot = slot
        if slot is None or slot.engine is None or (slot.here and self._must_yield(earlier)):
            return None
        slot.active += 1
        return slot, slot.engine

    def _anybody_new(self, tickets: list[_Ticket]) -> bool:
        return any(ticket.spec.id not in self._slots for ticket in tickets)

    def _must_yield(self, earlier: list[_Ticket]) -> bool:
        late = time.monotonic() - PATIENCE_SECONDS
        return any(other.since < late and other.spec.id not in self._slots for other in earlier)

    def _make_room(self, spec: ModelSpec, wanted: set[str]) -> _Slot | None:
        """Begin to load, in place of the model unused for longest if all places are taken; None: all are in use."""
        loaded = [slot for slot in self._slots.values() if slot.here]
        if len(loaded) < self._max_models or not kind_of(spec).here:
            return self._begin(spec, None)
        idle = [slot for slot in loaded if slot.idle and slot.spec.id not in wanted]
        if not idle:
            return None
        victim = min(idle, key=lambda slot: slot.last_used)
        self._drop(victim.spec.id)
        return self._begin(spec, victim)

    def _news(self, ticket: _Ticket) -> Loading | Queued:
        if ticket.slot is not None and ticket.slot.engine is None:
            return ticket.slot.stage
        return Queued(1 + sum(other.slot is None for other in self._line[: self._line.index(ticket)]))

    def _drop(self, model_id: str) -> _Slot | None:
        slot = self._slots.pop(model_id, None)
        if slot is not None:
            slot.dropped = True
            self._changed.notify_all()
        return slot

    def _begin(self, spec: ModelSpec, victim: _Slot | None) -> _Slot:
        slot = self._slots[spec.id] = _Slot(spec)
        threading.Thread(target=self._start, args=(slot, victim), name=f"start {spec.id}", daemon=True).start()
        if self._reaper is None and self._idle_seconds > 0:
            self._reaper = threading.Thread(target=self._reap, name="unload idle models", daemon=True)
            self._reaper.start()
        return slot

    def _start(self, slot: _Slot, victim: _Slot | None) -> None:
        """Close the engine whose place is taken, then load. Runs on a thread of its own."""
        engine: Engine | None = None
        error: PlaygroundError | None = ModelLoadError(
            f"{slot.spec.name} could not be loaded, for an unexpected reason that the server's log tells. "
            "Choose another model."
        )
        began = time.monotonic()
        try:
            if victim is not None and victim.engine is not None:
                logger.info("unloading %s", victim.spec.id)
                victim.engine.close()
            engine = self._create(slot)
            error = None
            logger.info("loaded %s in %.2f s", slot.spec.id, time.monotonic() - began)
        except PlaygroundError as failure:
            error = failure
            logger.warning("loading %s failed: %s", slot.spec.id, failure.code)
        finally:
            self._publish(slot, engine, error)

    def _create(self, slot: _Slot) -> Engine:
        def report(news: Loading | Queued) -> None:
            if isinstance(news, Loading):
                with self._changed:
                    slot.stage = news
                    self._changed.notify_all()

        kind, options = kind_of(slot.spec), self.options_for(slot.spec)
        if self._lease is not None and slot.spec.engine in self._lease.engines:
            return LeasedEngine(slot.spec, options, self._lease)
        if not kind.in_worker or self._in_process:
            return kind.create(slot.spec, options, report)
        return WorkerEngine(
            slot.spec,
            options,
            report,
            start_seconds=self._start_seconds,
            stall_seconds=self._stall_seconds,
            abandoned=lambda: slot.dropped,
        )

    def _publish(self, slot: _Slot, engine: Engine | None, error: PlaygroundError | None) -> None:
        with self._changed:
            unwanted = slot.dropped
            slot.error = error
            slot.last_used = time.monotonic()
            if not unwanted:
                slot.engine = engine
            if error is not None and not unwanted:
                self._drop(slot.spec.id)
            self._changed.notify_all()
        if unwanted and engine is not None:
            engine.close()

    def _reap(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                self._changed.wait(min(self._idle_seconds / 2, 5.0))
                oldest = time.monotonic() - self._idle_seconds
                late = [slot for slot in self._slots.values() if slot.idle and slot.last_used < oldest]
                for slot in late:
                    self._drop(slot.spec.id)
            for slot in late:
                logger.info("unloading %s after %g s without use", slot.spec.id, self._idle_seconds)
                if slot.engine is not None:
                    slot.engine.close()


def _status(model_id: str, engine: Engine | None, active: int) -> LoadedModel:
    state: LoadState = "ready" if engine is not None else "starting"
    if isinstance(engine, WorkerEngine):
        return LoadedModel(model_id, state, engine.pid, engine.memory_bytes(), active)
    servers = engine.servers() if isinstance(engine, Replicated) else ()
    return LoadedModel(model_id, state, None, 0, active, servers)


def _ignore(news: Loading | Queued) -> None:
    del news


def _never() -> bool:
    return False
