"""Whether models fit into this machine's memory, asked before they are loaded."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from playground.catalog.machine import Machine
from playground.catalog.memory_plan import MemoryPlan, Verdict, plan_together
from playground.catalog.spec import ModelSpec
from playground.engines.choice import EngineChoice
from playground.engines.contract import EngineOptions
from playground.engines.memory_check import check_memory, need_of, plan_for
from playground.engines.pool import LoadedModel
from playground.errors import ModelLoadError

# Asking the driver of a card takes a while; a list of models asks for each.
_FRESH_SECONDS = 2.0


class MemoryPlanner:
    """Plans for this machine as it is now. Safe to use from many threads.

    `choose` picks the engine of a row, `loaded` tells what is loaded: idle models would make room.
    """

    def __init__(
        self,
        choose: Callable[[ModelSpec], EngineChoice],
        options: EngineOptions,
        read: Callable[[], Machine],
        loaded: Callable[[], Sequence[LoadedModel]],
    ) -> None:
        self._choose = choose
        self._options = options
        self._read = read
        self._loaded = loaded
        self._lock = threading.Lock()
        self._seen: tuple[float, Machine] | None = None

    def plan(self, spec: ModelSpec) -> MemoryPlan | None:
        """What the model would take, and whether there is room; None where nothing can be told."""
        with suppress(ModelLoadError):  # no engine for it, or a damaged folder: loading says so in words
            made = plan_for(
                spec, self._choose(spec), self._options, self._machine(), loaded_bytes=self._idle_bytes(spec)
            )
            return made[1] if made is not None else None
        return None

    def check(self, spec: ModelSpec) -> MemoryPlan | None:
        """The same for loading it now. Raises OutOfMemory, with the numbers and the next step, when it does not fit."""
        choice, idle = self._choose(spec), self._idle_bytes(spec)
        with suppress(ModelLoadError):  # a folder that does not say its sizes: loading or converting says what is wrong
            return check_memory(spec, choice, self._options, self._read(), loaded_bytes=idle)
        return None

    def fit_together(self, specs: Sequence[ModelSpec]) -> bool:
        """Whether these models can be loaded at the same time; what cannot be told counts as fitting."""
        held = {model.model_id for model in self._loaded()}
        waiting = [spec for spec in specs if spec.id not in held]
        needs = [need for spec in waiting if (need := need_of(spec, self._choose(spec), self._options)) is not None]
        free = self._machine().memory.free_bytes
        plans = plan_together(needs, free_bytes=free) if needs and free else []
        return all(made.verdict in {Verdict.FITS, Verdict.FITS_WITH_LESS_CONTEXT} for made in plans)

    def _idle_bytes(self, spec: ModelSpec) -> int:
        return sum(model.memory_bytes for model in self._loaded() if not model.active and model.model_id != spec.id)

    def _machine(self) -> Machine:
        with self._lock:
            now = time.monotonic()
            if self._seen is None or now - self._seen[0] > _FRESH_SECONDS:
                self._seen = (now, self._read())
            return self._seen[1]
