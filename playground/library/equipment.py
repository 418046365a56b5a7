"""What the library is given by whoever builds it: engines, a converter, a look at the memory, the loaded models."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from playground.catalog.memory_plan import MemoryPlan
from playground.catalog.spec import ModelSpec
from playground.engines.choice import EngineChoice
from playground.engines.pool import LoadedModel
from playground.library.conversion import Converter


class Loaded(Protocol):
    """Whoever keeps models loaded: the part of `engines.pool.EnginePool` that the library needs."""

    def status(self) -> list[LoadedModel]:
        """What is loaded right now."""
        ...

    def unload(self, model_id: str) -> None:
        """End a model's engine."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Equipment:
    """What this machine has: the engines there are, which of them runs a model best, and whether a model fits.

    `choose` is asked for the best engine of a row that names those that read its files; it raises ModelLoadError.
    `plan_memory` tells what a model would take; `check_memory` raises OutOfMemory, with the numbers, for one that
    cannot be loaded, and else says how much context fits. Both are asked before a download (the row has no `path`
    then) and once the files are here (`path` is their folder). `fit_together` tells whether several fit at once.
    `native_types` are the architectures that run without code of their own; None: not known, so none is refused here.
    """

    engines: Collection[str]
    choose: Callable[[ModelSpec], EngineChoice]
    plan_memory: Callable[[ModelSpec], MemoryPlan | None] | None = None
    check_memory: Callable[[ModelSpec], MemoryPlan | None] | None = None
    fit_together: Callable[[Sequence[ModelSpec]], bool] | None = None
    converter: Converter | None = None
    native_types: Callable[[], Collection[str]] | None = None
