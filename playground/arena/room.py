"""This machine's memory as the arena asks about it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from playground.catalog.memory_plan import MemoryPlan, Verdict
from playground.catalog.spec import ModelSpec
from playground.engines.pool import LoadedModel

_GIB = 2**30
_FRESH_SECONDS = 1.0


class MachineRoom:
    """See `battles.Memory`. `plan` is one model's plan, `fit` whether several fit; `loaded` what is loaded now."""

    def __init__(
        self,
        plan: Callable[[ModelSpec], MemoryPlan | None],
        fit: Callable[[Sequence[ModelSpec]], bool],
        loaded: Callable[[], Sequence[LoadedModel]],
    ) -> None:
        self._plan = plan
        self._fit = fit
        self._loaded = loaded
        self._seen: tuple[float, dict[str, int]] = (0.0, {})

    def fits_together(self, specs: Sequence[ModelSpec]) -> bool:
        """Whether they can be loaded at the same time; what cannot be told counts as fitting."""
        return self._fit(specs)

    def refusal(self, spec: ModelSpec) -> str:
        """Why a model fits not even alone; empty when it does."""
        made = self._plan(spec)
        if made is None or made.verdict is not Verdict.TOO_BIG:
            return ""
        return (
            f"{spec.name} needs about {made.total_bytes / _GIB:.1f} GiB of memory, and "
            f"{made.free_bytes / _GIB:.1f} GiB are free. Choose a smaller model."
        )

    def taken(self, model_id: str) -> int:
        """Bytes that the model's process takes; looked at once a second, for views are made more often."""
        if time.monotonic() - self._seen[0] > _FRESH_SECONDS:
            self._seen = (time.monotonic(), {model.model_id: model.memory_bytes for model in self._loaded()})
        return self._seen[1].get(model_id, 0)
