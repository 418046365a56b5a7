"""What a library is for besides downloads: rows, conversion, engines, memory, jobs, removal."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from playground.catalog.catalog import Catalog
from playground.catalog.rows import read_rows
from playground.catalog.spec import AUTO, ModelSpec
from playground.domain import Loading, Queued, Stage
from playground.engines.choice import Setup, choose_engine
from playground.errors import (
    Cancelled,
    ConfigError,
    InvalidRequest,
    ModelLoadError,
    OutOfMemory,
    RefusedRepository,
    UnknownModel,
)
from playground.library.library import Identity, Library, ModelState
from tests.hub_stand_in import Fault, HubStandIn
from tests.library.conftest import Converting, LibraryFactory, Unloading, spec_of
from tests.library.models import checkpoint, genai, noise

SPEC = spec_of()


def ready(library: Library, spec: ModelSpec = SPEC, news: list[Loading | Queued] | None = None) -> ModelSpec:
    return library.prepare(spec, (news if news is not None else []).append, lambda: False)


def test_what_ships_passes_straight_through(make_library: LibraryFactory, hub: HubStandIn) -> None:
    shipped = spec_of(engine="onnx", source=None, path=Path("x"), model_id="pip")
    library = make_library(shipped)
    assert ready(library, shipped) is shipped
    assert library.state(shipped) is ModelState.SHIPPED
    assert library.state(replace(shipped, engine="remote", path=None)) is ModelState.SERVER
    assert not library.jobs()
    with pytest.raises(InvalidRequest, match="no downloaded files"):
        library.remove(shipped)
    with pytest.raises(InvalidRequest, match="needs no download"):
        library.pull(shipped)


def test_what_ships_is_told_apart_by_its_checksums(make_library: LibraryFactory, tmp_path: Path) -> None:
    folder = tmp_path / "model" / "int8"
    folder.mkdir(parents=True)
    shipped = spec_of(engine="onnx", source=None, path=folder, precision="int8", model_id="pip")
    library = make_library(shipped)
    assert library.identity(shipped).revision.startswith("local-")
    sums = tmp_path / "model" / "SHA256SUMS"
    seen = []
    for model, other in (("a", "x"), ("b", "x"), ("b", "y")):
        sums.write_text(f"{model * 64}  int8/model.onnx\n{other * 64}  int4/model.onnx\n", encoding="utf-8")
        seen.append(library.identity(shipped))
    assert seen[0] == Identity(hashlib.sha256(f"{'a' * 64}  int8/model.onnx".encode()).hexdigest()[:40], "int8", "onnx")
    assert seen[0].revision != seen[1].revision == seen[2].revision
    assert library.identity(replace(shipped, engine="remote", path=None, precision="")) == Identity("", "", "remote")


def test_what_was_fetched_is_told_apart_by_its_commit(make_library: LibraryFactory, hub: HubStandIn) -> None:
    repo = hub.add("o/m", checkpoint())
    library = make_library(SPEC)
    assert library.identity(SPEC) == Identity("", "", AUTO)
    ready(library)
    assert SPEC.source is not None
    assert SPEC.source.revision == "main"
    assert library.identity(SPEC) == Identity(repo.commit, "int4", "onnx")


class Listening(list[Loading | Queued]):
    """Opens a gate when it hears that something is converted: what is quicker than the news is not heard of."""

    def __init__(self, gate: threading.Event) -> None:
        super().__init__()
        self.gate = gate

    def append(self, item: Loading | Queued) -> None:
        super().append(item)
        if isinstance(item, Loading) and item.stage is Stage.CONVERTING:
            self.gate.set()


def test_a_checkpoint_is_converted_once(
    make_library: LibraryFactory, hub: HubStandIn, converter: Converting, tmp_path: Path
) -> None:
    repo = hub.add("o/m", checkpoint())
    library, news = make_library(SPEC), Listening(converter.gate)
    converter.gate.clear()
    made = ready(library, SPEC, news)
    home = tmp_path / "models" / "o--m"
    assert (made.engine, made.precision) == ("onnx", "int4")
    assert made.path == home / f"{repo.commit}.onnx-int4-cpu"
    (request,) = converter.requests
    assert (request.source, request.precision, request.device) == (home / repo.commit, "int4", "cpu")
    assert Stage.CONVERTING in [item.stage for item in news if isinstance(item, Loading)]
    assert ready(library) == ready(make_library(SPEC, offline=True)) == made
    other = ready(library, replace(SPEC, id="m8", precision="int8"))
    assert other.path == home / f"{repo.commit}.onnx-int8-cpu"
    assert len(converter.requests) == 2
    assert len(hub.asked("/resolve/")) == 1 + 5  # the configuration to look into, and every file


def test_a_conversion_that_is_refused_leads_to_the_next_engine(
    make_library: LibraryFactory, hub: HubStandIn, converter: Converting, tmp_path: Path
) -> None:
    repo = hub.add("o/m", checkpoint())
    converter.refuses = "Its graphs gave other tokens."
    library = make_library(SPEC)
    made = ready(library)
    assert (made.engine, made.path) == ("torch", tmp_path / "models" / "o--m" / repo.commit)
    assert ready(library) == made
    assert len(converter.requests) == 1
    only = spec_of(engines=("onnx",), model_id="only")
    with pytest.raises(ModelLoadError, match="Its graphs gave other tokens"):
        ready(library, only)
    assert not list((tmp_path / "models").rglob("*.part"))


def test_a_stopped_conversion_leaves_nothing_half_done(
    make_library: LibraryFactory, hub: HubStandIn, converter: Converting, tmp_path: Path
) -> None:
    hub.add("o/m", checkpoint())
    converter.gate.clear()
    library, converting = make_library(SPEC), threading.Event()

    def progress(news: Loading | Queued) -> None:
        if news == Loading(Stage.CONVERTING, 0.5):
            converting.set()

    with pytest.raises(Cancelled):
        library.prepare(SPEC, progress, converting.is_set)
    (job,) = library.jobs()
    library.wait(job.id, 20)
    assert not list((tmp_path / "models").rglob("*.onnx-*"))
    assert library.state(SPEC) is ModelState.PARTLY
    converter.gate.set()
    assert ready(library).engine == "onnx"


def test_engines_are_chosen_from_what_there_is(make_library: LibraryFactory, hub: HubStandIn) -> None:
    hub.add("o/m", checkpoint())
    library = make_library(SPEC, engines=("torch",))
    assert ready(library).engine == "torch"
    card = partial(choose_engine, setup=Setup(cuda=True, cuda_engines=frozenset({"torch"})))
    made = ready(make_library(SPEC, choose=card), replace(SPEC, engines=("onnx", "torch")))
    assert (made.engine, made.precision) == ("torch", "bf16")
    with pytest.raises(ModelLoadError, match=r"No engine of this playground \(torch\)"):
        ready(library, replace(SPEC, id="x", engines=("onnx",)))
    assert library.state(replace(SPEC, engines=("onnx",))) is ModelState.PARTLY


def test_a_model_that_cannot_be_run_says_why(make_library: LibraryFactory, hub: HubStandIn) -> None:
    reason = "Its makers have taken it off the Hub."
    with pytest.raises(ModelLoadError, match=reason):
        ready(make_library(SPEC), replace(SPEC, engines=(), unavailable={"en": reason, "vi": "Đã bị gỡ."}))
    assert not hub.seen


def test_memory_is_asked_before_anything_is_fetched(make_library: LibraryFactory, hub: HubStandIn) -> None:
    def refuse(spec: ModelSpec) -> None:
        raise OutOfMemory(f"{spec.name} needs 99 GB.")

    hub.add("o/m", checkpoint())
    with pytest.raises(OutOfMemory, match="99 GB"):
        ready(make_library(SPEC, check_memory=refuse))
    assert not hub.seen


def test_pasted_models_become_rows_that_stay(make_library: LibraryFactory, hub: HubStandIn, tmp_path: Path) -> None:
    repo = hub.add("o/m", checkpoint(), tags=["license:mit"], cardData={"language": "vi"})
    library = make_library(spec_of("o/other", "other"))
    spec = library.add(f"{hub.endpoint}/o/m")
    assert (spec.id, spec.engine, spec.context_length, spec.licence) == ("o/m", AUTO, 4096, "mit")
    assert spec.source is not None
    assert (spec.source.revision, spec.source.format, spec.languages) == (repo.commit, "transformers", ("vi",))
    assert library.add("o/m") == spec
    assert len(hub.asked("/api/models/o/m")) == 1
    assert read_rows([tmp_path / "models.toml"]) == [spec]
    assert ready(library, spec).path is not None
    freed = library.remove(spec)
    assert freed > 300_000
    assert read_rows([tmp_path / "models.toml"]) == []
    assert library.state(spec) is ModelState.ABSENT


def test_an_added_model_that_thinks_has_its_thoughts_kept_apart(
    make_library: LibraryFactory, hub: HubStandIn, tmp_path: Path
) -> None:
    template = {"chat_template.jinja": b"{{ message.content.split('</think>')[-1] }}"}
    hub.add("o/thinks", checkpoint() | template)
    hub.add("o/graph", {f"cpu/{name}": content for name, content in (genai() | template).items()})
    hub.add("o/endless", checkpoint() | {"chat_template.jinja": b"</think>" * 2**20})
    folder = tmp_path / "thinks"
    folder.mkdir()
    for name, content in (checkpoint() | template).items():
        (folder / name).write_bytes(content)
    library = make_library()
    for pasted in ("o/thinks", "o/graph", str(folder)):
        assert library.add(pasted).reasoning_tags == ("<think>", "</think>")
    assert library.add("o/endless").reasoning_tags is None
    assert [spec.reasoning_tags is not None for spec in read_rows([tmp_path / "models.toml"])] == [
        True,
        True,
        True,
        False,
    ]


def test_the_catalogue_grows_and_shrinks_while_others_read(hub: HubStandIn, make_library: LibraryFactory) -> None:
    catalog = Catalog([])
    stop = threading.Event()
    seen: list[Exception] = []

    def read() -> None:
        while not stop.is_set():
            try:
                assert all(spec.id for spec in catalog.search("m"))
            except Exception as error:  # noqa: BLE001
                seen.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    for number in range(200):
        catalog.put(spec_of(model_id=f"m{number}"))
        catalog.drop(f"m{number - 1}")
    stop.set()
    thread.join(10)
    assert not seen
    assert [spec.id for spec in catalog] == ["m199"]
    with pytest.raises(UnknownModel):
        catalog.get("m1")


def test_variants_can_be_chosen_when_adding(make_library: LibraryFactory, hub: HubStandIn) -> None:
    hub.add("o/m", genai("cpu/int4") | genai("gpu/fp16"))
    library = make_library()
    chosen = library.add("o/m", variant="gpu/fp16")
    assert (chosen.id, chosen.context_length) == ("o/m/gpu/fp16", 8192)
    with pytest.raises(InvalidRequest, match="cpu/int4, gpu/fp16"):
        library.add("o/m", variant="int2")


def test_code_of_a_repository_is_never_run(make_library: LibraryFactory, hub: HubStandIn, tmp_path: Path) -> None:
    own = {"auto_map": {"AutoModelForCausalLM": "modeling_evil.EvilModel"}}
    hub.add("o/evil", checkpoint(model_type="evil", **own))
    hub.add("o/known", checkpoint(**own))
    library = make_library(native_types=lambda: {"llama"})
    with pytest.raises(RefusedRepository, match="Python code of its own"):
        library.add("o/evil")
    made = ready(library, library.add("o/known"))
    assert made.path is not None
    assert not [path for path in tmp_path.rglob("*") if path.suffix in {".py", ".bin", ".pkl"}]


def test_a_row_whose_model_needs_code_is_refused_too(make_library: LibraryFactory, hub: HubStandIn) -> None:
    hub.add("o/m", checkpoint(model_type="evil", auto_map={"AutoModel": "x.Y"}))
    with pytest.raises(RefusedRepository, match="Python code of its own"):
        ready(make_library(SPEC, native_types=lambda: {"llama"}))


def test_a_folder_of_this_machine(
    make_library: LibraryFactory, tmp_path: Path, converter: Converting, hub: HubStandIn
) -> None:
    folder = tmp_path / "Tôi" / "my model"
    folder.mkdir(parents=True)
    for name, content in checkpoint().items():
        (folder / name).write_bytes(content)
    library = make_library()
    with pytest.raises(InvalidRequest, match="whoever runs"):
        library.add(str(folder), folders=False)
    spec = library.add(str(folder))
    assert (spec.path, spec.name, spec.context_length) == (folder, "my model", 4096)
    assert library.state(spec) is ModelState.PARTLY
    made = ready(library, spec)
    assert made.path is not None
    assert made.path.is_relative_to(tmp_path / "models")
    assert converter.requests[0].source == folder
    assert library.state(spec) is ModelState.HERE
    (folder / "model.safetensors").write_bytes(noise(1000, 3))
    assert library.state(spec) is ModelState.PARTLY
    library.remove(spec)
    assert (folder / "config.json").exists()
    assert not hub.seen


def test_links_out_of_a_folder_are_not_followed(make_library: LibraryFactory, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "stolen"}))
    (folder / "config.json").symlink_to(tmp_path / "config.json")
    (folder / "model.safetensors").write_bytes(b"x")
    with pytest.raises(RefusedRepository, match="no model"):
        make_library().add(str(folder))


def test_removing_unloads_first_and_tells_how_much(
    make_library: LibraryFactory, hub: HubStandIn, loaded: Unloading, tmp_path: Path
) -> None:
    hub.add("o/m", checkpoint(1_000_000))
    twin = spec_of(model_id="twin", precision="int8")
    library = make_library(SPEC, twin, spec_of("o/other", "other"))
    ready(library)
    used = library.disk()
    assert used.models == {"o--m": library.size(SPEC)}
    assert used.used > 1_000_000
    assert used.free > 0
    assert library.remove(SPEC) == used.used
    assert loaded.unloaded == ["m", "twin"]
    assert library.disk().used == 0
    assert library.remove(SPEC) == 0


def test_pull_goes_on_by_itself_and_can_be_cancelled(
    make_library: LibraryFactory, hub: HubStandIn, converter: Converting
) -> None:
    hub.add("o/m", checkpoint(2_000_000), large={"model.safetensors"})
    hub.faults.append(Fault("/cdn/", None, seconds_per_block=0.05))
    library = make_library(SPEC)
    job = library.pull(SPEC)
    assert library.pull(SPEC).id == job.id
    assert library.cancel(job.id)
    ended = library.wait(job.id, 20)
    assert ended is not None
    assert isinstance(ended.error, Cancelled)
    assert not library.cancel(job.id)
    hub.faults.clear()
    again = library.wait(library.pull(SPEC).id, 30)
    assert again is not None
    assert (again.done, again.error) == (True, None)
    assert library.wait("unknown", 0) is None


def test_pull_follows_a_branch(make_library: LibraryFactory, hub: HubStandIn) -> None:
    first = hub.add("o/m", checkpoint()).commit
    library = make_library(SPEC)
    assert first in str(ready(library).path)
    second = hub.add("o/m", checkpoint(400_000)).commit
    assert first in str(ready(library).path)
    library.wait(library.pull(SPEC).id, 30)
    assert second in str(ready(library).path)


def test_more_jobs_than_places_wait_in_line(
    make_library: LibraryFactory, hub: HubStandIn, converter: Converting
) -> None:
    specs = [spec_of(f"o/m{number}", f"m{number}") for number in range(4)]
    for spec in specs:
        hub.add(f"o/{spec.id}", checkpoint(1000))
    converter.gate.clear()
    library = make_library(*specs)
    jobs = [library.pull(spec) for spec in specs]
    while len(converter.requests) < 2:
        library.wait(jobs[0].id, 0.05)
    while library.jobs()[3].news != Queued(2):
        library.wait(jobs[3].id, 0.05)
    converter.gate.set()
    assert all((job := library.wait(item.id, 30)) and job.done and job.error is None for item in jobs)


def test_rows_that_cannot_be_kept_are_told(make_library: LibraryFactory, hub: HubStandIn, tmp_path: Path) -> None:
    hub.add("o/m", checkpoint())
    (tmp_path / "models.toml").mkdir()
    with pytest.raises(ConfigError, match="models"):
        make_library().add("o/m")


def test_an_adapter_is_merged_into_its_base(
    make_library: LibraryFactory, hub: HubStandIn, converter: Converting, tmp_path: Path
) -> None:
    base = hub.add("o/m", checkpoint())
    files = {"adapter_config.json": b'{"base_model_name_or_path": "o/m"}', "adapter_model.safetensors": noise(900)}
    adapter = hub.add("o/lora", files)
    library = make_library(SPEC)
    spec = library.add("o/lora")
    made = ready(library, spec)
    (request,) = converter.requests
    models = tmp_path / "models"
    assert request.source == models / "o--m" / base.commit
    assert request.adapter == models / "o--lora" / adapter.commit
    assert made.path == models / "o--lora" / f"{adapter.commit}.onnx-int4-cpu"
    assert ready(make_library(SPEC, offline=True), spec) == made
    converter.requests.clear()
    ready(library, spec_of("o/lora", "by-id", format="adapter", base="m", precision="int8"))
    assert converter.requests[0].source == request.source
    with pytest.raises(ModelLoadError, match="no checkpoint"):
        ready(
            make_library(spec_of(source=None, model_id="m")),
            spec_of("o/lora", "bad", format="adapter", base="m", precision="fp16"),
        )


def test_memory_is_asked_again_with_the_files_until_it_is_loaded(
    make_library: LibraryFactory, hub: HubStandIn, loaded: Unloading
) -> None:
    hub.add("o/m", checkpoint())
    asked: list[Path | None] = []
    library = make_library(SPEC, check_memory=lambda spec: asked.append(spec.path))
    made = ready(library)
    ready(library)
    loaded.loaded.append("m")
    ready(library)
    assert [path and path.name for path in asked] == [None, hub.repos["o/m"].commit, made.path and made.path.name]
