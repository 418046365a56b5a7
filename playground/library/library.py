"""The models on this machine: which are here, how they get here, how they are made ready, and how they leave."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path

from playground.catalog.catalog import Catalog
from playground.catalog.hub import Hub
from playground.catalog.hub_client import Cancel
from playground.catalog.memory_plan import MemoryPlan, Verdict
from playground.catalog.own_rows import OwnRows
from playground.catalog.spec import AUTO, ModelSource, ModelSpec
from playground.domain import Loading, Stage
from playground.engines.choice import EngineChoice
from playground.engines.contract import Progress
from playground.engines.conversion.request import ConversionRequest
from playground.errors import Busy, Cancelled, InvalidRequest, ModelAbsent, ModelLoadError
from playground.library.additions import Additions, refuse_code
from playground.library.conversion import NEEDS_CONVERSION
from playground.library.equipment import Equipment, Loaded
from playground.library.fetch import Fetcher
from playground.library.jobs import Jobs, JobView
from playground.library.shelf import Found, Shelf, free_bytes
from playground.library.transfer import disk_error

MODELS = "models"
"""The folder of all models, in the data folder."""
_PRECISION = re.compile(r"int4|int8|fp16|fp32|bf16|q4f16|q4|q8|bnb4")
_PATIENCE_SECONDS = 60.0


class ModelState(StrEnum):
    """Where a model is. `partly`: a download that has not ended, or a checkpoint that is not converted yet."""

    SHIPPED = "shipped"
    HERE = "here"
    PARTLY = "partly"
    ABSENT = "absent"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class DiskUse:
    """Bytes: free on the disk, and used by models, by the folder of each."""

    free: int
    models: dict[str, int]

    @property
    def used(self) -> int:
        """Bytes of all models together."""
        return sum(self.models.values())


@dataclass(frozen=True, slots=True)
class Identity:
    """Exactly what answers under a model's name here: which files, in what precision, in which engine."""

    revision: str = ""
    precision: str = ""
    engine: str = ""


class Library:
    """All models of the catalogue, made ready on demand. Safe to use from many threads.

    Files lie in `folder/models`, rows that were added in `folder/models.toml`. `fetches_on_ask`: a question to a model
    that is not here brings it; otherwise only `pull` does.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        hub: Hub,
        folder: Path,
        equipment: Equipment,
        loaded: Loaded | None = None,
        fetches_on_ask: bool = True,
    ) -> None:
        self.hub = hub
        self.fetches_on_ask = fetches_on_ask
        self._catalog = catalog
        self._equipment = equipment
        self._loaded = loaded
        self._shelf = Shelf(folder / MODELS)
        self._fetcher = Fetcher(hub, self._shelf, partial(refuse_code, native_types=equipment.native_types))
        self._additions = Additions(catalog, hub, OwnRows(folder / "models.toml"), equipment.native_types)
        self._refused: dict[Path, str] = {}
        self._jobs = Jobs()

    def state(self, spec: ModelSpec) -> ModelState:
        """Where the model is. Looks at the disk only."""
        if spec.source is None:
            return ModelState.SHIPPED if spec.path is not None or spec.engine == "echo" else ModelState.SERVER
        if self._ready(spec) is not None:
            return ModelState.HERE
        return ModelState.PARTLY if self._shelf.find(spec) or self.size(spec) else ModelState.ABSENT

    def size(self, spec: ModelSpec) -> int:
        """Bytes that the model takes on this disk, whole or not."""
        return self._shelf.bytes_of(spec) if spec.source is not None else 0

    def add(self, reference: str, *, variant: str = "", folders: bool = True) -> ModelSpec:
        """Add the model that was pasted (id, address or folder) to the catalogue; nothing is downloaded yet.

        `variant` chooses among what a repository offers. `folders` False refuses folders of this machine: not everybody
        who sees the page may read them. A model that is in the catalogue already is returned as it is.

        Raises InvalidRequest, HubError, ModelLoadError, StorageError.
        """
        return self._additions.add(reference, variant=variant, folders=folders)

    def prepare(self, spec: ModelSpec, progress: Progress, cancelled: Cancel, *, fetch: bool = True) -> ModelSpec:
        """A row that an engine can load: with its folder, engine and precision. Costs nothing for what ships.

        A model that is not here is downloaded and converted meanwhile; everybody who asks for it shares that, and when
        the last of them gives up it ends, keeping what came. `progress` hears the stages on the calling thread.
        Without `fetch` a model that is not here is an error.

        Raises Cancelled, HubError, DiskFull, ModelLoadError (ModelAbsent), OutOfMemory, EngineTimeout.
        """
        if spec.source is None and spec.engine != AUTO:
            return spec
        ready = self._ready(spec)
        if ready is None and not (fetch and self.fetches_on_ask):
            raise ModelAbsent(f"{spec.name} is not on this machine yet. {self._way_here}")
        if ready is not None:
            # One that is loaded has its memory already.
            return ready if self._is_loaded(spec) else self._fitted(ready)
        return self.make_ready(spec, progress, cancelled)

    def make_ready(self, spec: ModelSpec, progress: Progress, cancelled: Cancel, *, renew: bool = False) -> ModelSpec:
        """Like `prepare`, as a job in any case; `renew` asks the Hub for the newest state of the model's branch."""
        if spec.source is None:
            return spec
        return self._jobs.run(spec.id, partial(self._make, spec, renew=renew), progress, cancelled)

    def plan(self, spec: ModelSpec) -> MemoryPlan | None:
        """What a model would take of this machine's memory, and whether that fits; None when nobody can tell."""
        if self._equipment.plan_memory is None:
            return None
        if spec.source is None:
            return self._equipment.plan_memory(spec)
        wanted = self._ready(spec) or next((_as_chosen(spec, choice) for choice in self._choices(spec)), None)
        return self._equipment.plan_memory(wanted) if wanted is not None else None

    def identity(self, spec: ModelSpec) -> Identity:
        """What the model is on this machine now. Looks at the disk only."""
        ships = spec.source is None and spec.engine != AUTO
        made = spec if ships else self._ready(spec) or spec
        return Identity(self._shelf.revision(spec), made.precision, made.engine)

    def fit_together(self, specs: Sequence[ModelSpec]) -> bool:
        """Whether these models can be loaded at the same time; what nobody can tell counts as fitting."""
        return self._equipment.fit_together is None or self._equipment.fit_together(specs)

    def choice(self, spec: ModelSpec) -> EngineChoice | None:
        """How the model runs on this machine, or would; None when no engine here can."""
        with suppress(ModelLoadError):
            return self._equipment.choose(spec) if spec.source is None else next(iter(self._choices(spec)), None)
        return None

    def pull(self, spec: ModelSpec) -> JobView:
        """Begin to make a model ready, asking the Hub for the newest state of its branch; it goes on by itself.

        Raises InvalidRequest for a model that has nothing to fetch.
        """
        if spec.source is None:
            raise InvalidRequest(f"{spec.name} needs no download.")
        return self._jobs.start(spec.id, partial(self._make, spec, renew=True))

    def jobs(self) -> list[JobView]:
        """What goes on, and what ended lately."""
        return self._jobs.views()

    def wait(self, job_id: str, timeout: float = 1.0) -> JobView | None:
        """A job once it has ended, or as it is after `timeout` seconds; None for an unknown one."""
        return self._jobs.wait(job_id, timeout)

    def cancel(self, job_id: str) -> bool:
        """Stop a job, by its id or its model's; whether there was one. What has arrived is kept."""
        return self._jobs.cancel(job_id)

    def remove(self, spec: ModelSpec) -> int:
        """Unload a model, delete its files and, if it was added here, its row; returns the bytes that are free now.

        Models that share a repository lose their files together. Folders of their own stay. Raises InvalidRequest for
        a model that ships with the playground or lives on a server, Busy, DiskFull, StorageError.
        """
        if spec.source is None:
            raise InvalidRequest(f"{spec.name} has no downloaded files that could be removed.")
        self._jobs.cancel(spec.id)
        home = self._shelf.home(spec)
        for other in self._catalog:
            if self._loaded is not None and other.source is not None and self._shelf.home(other) == home:
                self._loaded.unload(other.id)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        try:
            with self._shelf.lock(spec, lambda: time.monotonic() > deadline):
                freed = self._shelf.remove(spec)
        except Cancelled as error:
            raise Busy(f"{spec.name} is being made ready by another program. Stop it there, and try again.") from error
        self._additions.forget(spec.id)
        return freed

    def disk(self) -> DiskUse:
        """How much room models take and how much is left."""
        return DiskUse(free_bytes(self._shelf.root), self._shelf.bytes_used())

    def close(self) -> None:
        """Stop what goes on, keeping what came; may be called twice."""
        self._jobs.close()
        self.hub.client.close()

    @property
    def _way_here(self) -> str:
        if self.fetches_on_ask:
            return "Ask it something, and it is downloaded; or choose another model."
        return "Whoever runs this playground can download it; choose another model until then."

    def _make(self, spec: ModelSpec, progress: Progress, cancelled: Cancel, *, renew: bool = False) -> ModelSpec:
        """Fetch, then the first engine that can use the files, converting where it must. Runs on a job's thread."""
        if spec.unavailable:
            raise ModelLoadError(f"{spec.name} cannot be made ready here. {spec.unavailable['en']}")
        choices = self._choices(spec)
        if not choices:
            raise ModelLoadError(
                f"No engine of this playground ({', '.join(sorted(self._equipment.engines))}) can load {spec.name}. "
                "Choose another model."
            )
        self._fitted(_as_chosen(spec, choices[0]))
        with self._shelf.lock(spec, cancelled):
            found = self._shelf.find(spec)
            if found is None or (renew and not self.hub.client.offline):
                self._fetcher.fetch(spec, progress, cancelled)
                found = self._shelf.find(spec)
            if found is None:
                raise ModelLoadError(f"The files of {spec.name} are not here. Download the model again.")
            self._fitted(replace(_as_chosen(spec, choices[0]), path=found.folder))
            for choice in choices:
                made = self._made(spec, choice, found)
                if made is None and self._convert(spec, choice, found, (progress, cancelled)):
                    made = self._made(spec, choice, found)
                if made is not None:
                    return made
            raise ModelLoadError(self._refusal(choices, found))

    def _ready(self, spec: ModelSpec) -> ModelSpec | None:
        """The row to load if everything is here."""
        found = self._shelf.find(spec)
        if found is None:
            return None
        for choice in self._choices(spec):
            made = self._made(spec, choice, found)
            if made is not None:
                return made
            if _target(choice, found) not in self._refused:
                return None
        return None

    def _made(self, spec: ModelSpec, choice: EngineChoice, found: Found) -> ModelSpec | None:
        source = spec.source or ModelSource()
        if not NEEDS_CONVERSION[source.format, choice.engine]:
            named = _PRECISION.search(source.variant)
            said = choice.precision if source.format == "transformers" else named.group() if named else ""
            return replace(spec, engine=choice.engine, path=found.folder, precision=spec.precision or said)
        folder = _target(choice, found)
        if not folder.is_dir():
            return None
        return replace(spec, engine=choice.engine, path=folder, precision=choice.precision)

    def _convert(self, spec: ModelSpec, choice: EngineChoice, found: Found, watch: tuple[Progress, Cancel]) -> bool:
        """Convert into a folder that appears when it is whole; whether it worked. A refusal is remembered."""
        target = _target(choice, found)
        if self._equipment.converter is None:
            self._refused[target] = "Nothing here can convert models."
        if self._equipment.converter is None or target in self._refused:
            return False
        part = target.with_name(f"{target.name}.part")
        request = ConversionRequest(found.folder, part, choice.precision, choice.device or "cpu")
        if spec.source is not None and spec.source.format == "adapter":
            request = replace(request, source=self._base(spec, *watch).folder, adapter=found.folder)
        watch[0](Loading(Stage.CONVERTING))
        try:
            shutil.rmtree(part, ignore_errors=True)
            part.parent.mkdir(parents=True, exist_ok=True)
            self._equipment.converter(request, *watch)
            part.replace(target)
        except ModelLoadError as error:
            self._refused[target] = str(error)
            return False
        except OSError as error:
            raise disk_error(error, 0) from error
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return True

    def _base(self, spec: ModelSpec, progress: Progress, cancelled: Cancel) -> Found:
        """The checkpoint that an adapter belongs to: a model of the catalogue, or of the Hub."""
        name = spec.source.base if spec.source else ""
        row = self._catalog.get(name) if name in self._catalog else replace(spec, source=ModelSource(repo=name))
        if row.source is None or row.source.format != "transformers":
            raise ModelLoadError(f"{spec.name} belongs to {name}, which is no checkpoint that it could be merged into.")
        with self._shelf.lock(row, cancelled):
            if self._shelf.find(row) is None:
                self._fetcher.fetch(row, progress, cancelled)
        found = self._shelf.find(row)
        if found is None:
            raise ModelLoadError(f"The files of {name} are not here. Download it again.")
        return found

    def _choices(self, spec: ModelSpec) -> list[EngineChoice]:
        """The engines to try, the best first: those of the row that this machine has and that read such files."""
        source = spec.source or ModelSource()
        known = [engine for kind, engine in NEEDS_CONVERSION if kind == source.format]
        wished = [spec.engine] if spec.engine != AUTO else list(spec.engines) or known
        left = [engine for engine in wished if engine in known and engine in self._equipment.engines]
        choices: list[EngineChoice] = []
        while left:
            choices.append(self._equipment.choose(replace(spec, engine=AUTO, engines=tuple(left))))
            left.remove(choices[-1].engine)
        return choices

    def _refusal(self, choices: list[EngineChoice], found: Found) -> str:
        reasons = {self._refused.get(_target(choice, found), "") for choice in choices}
        return f"This model cannot be made ready here: {' '.join(sorted(filter(None, reasons)))} Choose another model."

    def _is_loaded(self, spec: ModelSpec) -> bool:
        return self._loaded is not None and any(model.model_id == spec.id for model in self._loaded.status())

    def _fitted(self, spec: ModelSpec) -> ModelSpec:
        """The row with as much context as there is memory for. Raises OutOfMemory when that is too little."""
        made = self._equipment.check_memory(spec) if self._equipment.check_memory is not None else None
        if made is None or made.verdict is not Verdict.FITS_WITH_LESS_CONTEXT:
            return spec
        return replace(spec, context_length=made.context_length)


def _as_chosen(spec: ModelSpec, choice: EngineChoice) -> ModelSpec:
    return replace(spec, engine=choice.engine, precision=choice.precision)


def _target(choice: EngineChoice, found: Found) -> Path:
    """Where a conversion lies: beside the checkpoint, by commit and by all that changes its result."""
    return found.home / f"{found.key}.{choice.engine}-{choice.precision}-{choice.device or 'cpu'}"
