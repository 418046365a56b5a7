"""Which models meet, and whether they fit into memory together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from playground.arena.contract import Schedule
from playground.catalog.catalog import Catalog
from playground.catalog.spec import ModelSpec
from playground.errors import InvalidRequest

if TYPE_CHECKING:
    from playground.arena.votes import Votes


class Memory(Protocol):
    """What is known of this machine's memory before a model runs."""

    def fits_together(self, specs: Sequence[ModelSpec]) -> bool:
        """Whether these different models can be loaded at the same time."""
        ...

    def refusal(self, spec: ModelSpec) -> str:
        """Why a model fits not even alone, with the next step; empty when it does, or when nobody can tell."""
        ...

    def taken(self, model_id: str) -> int:
        """Bytes that a model takes right now; 0 when it is not loaded, or not here."""
        ...


@dataclass(frozen=True, slots=True)
class Ring:
    """The models that blind battles are drawn from: those one may choose, that are on this machine and fit into its
    memory, and that think.

    `ready` says whether a model can answer at once. A model elsewhere is never drawn: what people write leaves this
    machine only when they choose that.
    """

    catalog: Catalog
    ready: Callable[[ModelSpec], bool]
    memory: Memory

    def models(self) -> list[ModelSpec]:
        """In the order of the catalogue."""
        return [
            spec
            for spec in self.catalog
            if spec.offered
            and not spec.hosts
            and spec.engine != "echo"
            and self.ready(spec)
            and not self.memory.refusal(spec)
        ]

    def draw(self, votes: Votes | None, fruitless: Mapping[str, int], seed: int | None = None) -> tuple[str, str]:
        """Two models, where a vote teaches most; the first goes to the left. `votes` None: there are none yet.

        `fruitless` says how many battles of a model gave no vote that counts.

        Raises InvalidRequest when there are not two.
        """
        import numpy as np  # noqa: PLC0415  scipy only when a pair is drawn

        from playground.arena.sampler import draw_pair  # noqa: PLC0415
        from playground.arena.votes import build_votes  # noqa: PLC0415

        names = [spec.id for spec in self.models()]
        if len(names) < 2:
            raise InvalidRequest(
                "A blind battle needs two models that are on this machine and fit into its memory. Fetch another one "
                "on the page of models, or compare models by name."
            )
        counted = votes if votes is not None else build_votes([], [], [])
        return draw_pair(names, counted, fruitless, np.random.default_rng(seed))


def choose_schedule(specs: Sequence[ModelSpec], memory: Memory, max_models: int) -> Schedule:
    """TOGETHER if all different models that compute here have a place and fit; otherwise IN_TURN."""
    here = list({spec.id: spec for spec in specs if not spec.servers}.values())
    if len(here) <= 1:
        return Schedule.TOGETHER
    return Schedule.TOGETHER if len(here) <= max_models and memory.fits_together(here) else Schedule.IN_TURN
