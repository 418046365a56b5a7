"""What happens on a card that is lent for one call: the other side of `leased_engine.py`.

Before the server starts, weights are loaded where the lender wants them (on ZeroGPU: onto a card that is not there yet;
they are moved when one is). Every call then runs in a process forked from the server's, which is used again for the
next call if the lender likes: engines made there stay.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, cast

from playground.catalog.spec import ModelSpec
from playground.domain import Loading, Queued, Stage
from playground.engines.contract import Engine, EngineOptions, TransparentEngine
from playground.engines.lease import Failure, Job, Looks, Piece, Reading
from playground.engines.registry import kind_of
from playground.errors import EngineError, NoProbabilities, OutOfMemory, PlaygroundError

if TYPE_CHECKING:
    from collections.abc import Generator

    from playground.engines.contract import Delta
    from playground.engines.torch_engine import Weights

log = logging.getLogger(__name__)
_Key = tuple[str, Path | None]


class LentCard:
    """Weights that are kept ready in the server's process, and engines in the one that has the card."""

    def __init__(self) -> None:
        self._weights: dict[_Key, Weights] = {}
        self._engines: dict[_Key, Engine] = {}

    def load(self, spec: ModelSpec, options: EngineOptions) -> None:
        """Keep a checkpoint's weights ready; call it before the server starts. Raises ModelLoadError, OutOfMemory."""
        from playground.engines.torch_engine import load_weights  # noqa: PLC0415

        self._weights[_key(spec)] = load_weights(spec, options)

    def answer(self, job: Job) -> Iterator[Piece]:
        """Write one answer, or look into one. Errors come as a piece: as exceptions they would lose their words."""
        try:
            if _key(job.spec) not in self._engines:
                yield Loading(Stage.LOADING)
            engine = self._engine(job)
            if job.reading is not None:
                yield _looks(engine, job, job.reading)
                return
            with closing(cast("Generator[Delta]", engine.generate(job.prompt, job.params))) as pieces:
                yield from pieces
        except PlaygroundError as error:
            yield Failure(error.code, str(error))
        except Exception as error:  # noqa: BLE001  the last line of a process: it becomes a typed error over there
            log.error("an answer on a lent card failed: %s", type(error).__name__)  # noqa: TRY400
            yield Failure(EngineError.code, "The model failed on the graphics card. Try again, or choose another one.")

    def _engine(self, job: Job) -> Engine:
        known = self._engines.get(_key(job.spec))
        if known is None:
            try:
                known = self._make(job)
            except OutOfMemory:
                if not self._engines:
                    raise
                self._clear()
                known = self._make(job)
            self._engines[_key(job.spec)] = known
        return known

    def _make(self, job: Job) -> Engine:
        weights = self._weights.get(_key(job.spec))
        if weights is None:
            return kind_of(job.spec).create(job.spec, job.options, _ignore)
        from playground.engines.torch_engine import assemble  # noqa: PLC0415

        return assemble(job.spec, job.options, weights)

    def _clear(self) -> None:
        for engine in self._engines.values():
            engine.close()
        self._engines.clear()


def _looks(engine: Engine, job: Job, reading: Reading) -> Looks:
    if not isinstance(engine, TransparentEngine):
        raise NoProbabilities(f"{job.spec.name} does not show how probable tokens are. Choose another model.")
    return Looks(engine.look(job.prompt, job.params, first=reading.first, count=reading.count))


def _key(spec: ModelSpec) -> _Key:
    """A model, as it lies in its folder: one that was fetched anew is another one."""
    return spec.id, spec.path


def _ignore(news: Loading | Queued) -> None:
    del news
