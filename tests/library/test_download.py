"""Downloads from a real server with everything going wrong that can."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from playground.catalog.spec import ModelSpec
from playground.domain import Loading, Queued, Stage
from playground.errors import (
    AccessNeeded,
    Cancelled,
    DamagedFile,
    DiskFull,
    HubBusy,
    HubError,
    HubUnreachable,
    PlaygroundError,
    RefusedRepository,
    UnknownRepository,
)
from playground.library.library import Library, ModelState
from playground.library.manifest import NAME, read_manifest
from tests.hub_stand_in import Fault, HubStandIn, git_sha1
from tests.library.conftest import LibraryFactory, spec_of
from tests.library.models import checkpoint, genai, noise

WEIGHTS = "model.safetensors"
WANTED = {"config.json", "tokenizer.json", "tokenizer_config.json", WEIGHTS, "README.md", NAME}
TORCH = spec_of(engine="torch")


def fetch(library: Library, spec: ModelSpec = TORCH, cancelled: Callable[[], bool] = lambda: False) -> ModelSpec:
    return library.prepare(spec, lambda _: None, cancelled)


def folder_of(hub: HubStandIn, root: Path) -> Path:
    return root / "models" / "o--m" / hub.repos["o/m"].commit


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_what_is_wanted_arrives_as_plain_files(hub: HubStandIn, make_library: LibraryFactory, tmp_path: Path) -> None:
    repo = hub.add("o/m", checkpoint(), large={WEIGHTS})
    library = make_library(TORCH)
    assert library.state(TORCH) is ModelState.ABSENT
    ready = fetch(library)
    folder = folder_of(hub, tmp_path)
    assert (ready.path, ready.engine, ready.precision) == (folder, "torch", "fp32")
    assert names(folder) == WANTED
    assert not [path for path in folder.rglob("*") if path.is_symlink()]
    assert (folder / WEIGHTS).read_bytes() == repo.files[WEIGHTS]
    assert library.state(TORCH) is ModelState.HERE
    asked = len(hub.seen)
    assert fetch(library) == ready
    assert fetch(make_library(TORCH, offline=True)) == ready
    assert len(hub.seen) == asked


def test_what_the_hub_s_own_library_has_is_copied_unless_it_is_wrong(
    hub: HubStandIn, make_library: LibraryFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = hub.add("o/m", checkpoint(), large={WEIGHTS})
    blobs = tmp_path / "cache/models--o--m/blobs"
    blobs.mkdir(parents=True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    config, weights = repo.files["config.json"], repo.files[WEIGHTS]
    (blobs / hashlib.sha256(weights).hexdigest()).write_bytes(weights)
    (blobs / git_sha1(config)).write_bytes(b"x" * len(config))
    folder = fetch(make_library(TORCH)).path
    assert folder is not None
    assert (folder / WEIGHTS).read_bytes() == weights
    assert (folder / "config.json").read_bytes() == config
    assert not hub.asked(f"/{WEIGHTS}")


def test_progress_has_bytes_speed_and_time_left(hub: HubStandIn, make_library: LibraryFactory) -> None:
    hub.add("o/m", checkpoint(400_000), large={WEIGHTS})
    hub.faults.append(Fault("/cdn/", None, seconds_per_block=0.04))
    news: list[Loading | Queued] = []
    make_library(TORCH).prepare(TORCH, news.append, lambda: False)
    told = [item.download for item in news if isinstance(item, Loading) and item.download]
    assert all(item.stage is Stage.DOWNLOADING for item in news if isinstance(item, Loading))
    assert [item.done for item in told] == sorted(item.done for item in told)
    assert told[-1].total > 400_000
    assert any(item.speed > 0 and item.seconds_left is not None for item in told)


def test_a_cut_connection_goes_on_where_it_broke(hub: HubStandIn, make_library: LibraryFactory, tmp_path: Path) -> None:
    repo = hub.add("o/m", checkpoint(600_000), large={WEIGHTS})
    hub.faults += [Fault("/cdn/", 6, cut_after=90_000)]
    fetch(make_library(TORCH))
    assert (folder_of(hub, tmp_path) / WEIGHTS).read_bytes() == repo.files[WEIGHTS]
    ranges = [seen.headers.get("range", "") for seen in hub.asked("/cdn/")]
    assert ranges == ["", *(f"bytes={90_000 * number}-" for number in range(1, 7))]


def test_a_connection_that_stays_broken_keeps_what_came(
    hub: HubStandIn, make_library: LibraryFactory, tmp_path: Path
) -> None:
    repo = hub.add("o/m", checkpoint(), large={WEIGHTS})
    hub.faults += [Fault("/cdn/", 1, cut_after=100_000), Fault("/cdn/", None, cut_after=0)]
    library = make_library(TORCH)
    with pytest.raises(HubUnreachable, match="goes on where it stopped"):
        fetch(library)
    assert library.state(TORCH) is ModelState.PARTLY
    assert (folder_of(hub, tmp_path) / f"{WEIGHTS}.part").stat().st_size == 100_000
    assert not (folder_of(hub, tmp_path) / NAME).exists()
    hub.faults.clear()
    fetch(make_library(TORCH))
    assert (folder_of(hub, tmp_path) / WEIGHTS).read_bytes() == repo.files[WEIGHTS]
    assert hub.asked("/cdn/")[-1].headers["range"] == "bytes=100000-"
    assert len(hub.asked("/tokenizer.json")) == 1


def test_a_wrong_file_is_fetched_once_more_and_then_refused(
    hub: HubStandIn, make_library: LibraryFactory, tmp_path: Path
) -> None:
    for name, large in ((WEIGHTS, {WEIGHTS}), ("config.json", set())):
        repo = hub.add("o/m", checkpoint(), large=large)
        promised = repo.files[name]
        (folder_of(hub, tmp_path) / "config.json").unlink(missing_ok=True)
        repo.lies[name] = noise(len(promised), 9) if name == WEIGHTS else promised.replace(b"llama", b"LLAMA")
        spec = replace(TORCH, id=name)
        with pytest.raises(DamagedFile, match="deleted"):
            fetch(make_library(spec), spec)
        assert f"{name}.part" not in names(folder_of(hub, tmp_path))
        assert name not in names(folder_of(hub, tmp_path))
    assert len(hub.asked("/cdn/")) == 2


def test_a_file_that_is_longer_than_announced_is_refused(
    hub: HubStandIn, make_library: LibraryFactory, tmp_path: Path
) -> None:
    repo = hub.add("o/m", checkpoint(), large={WEIGHTS})
    repo.lies[WEIGHTS] = repo.files[WEIGHTS] + noise(2_000_000)
    with pytest.raises(DamagedFile):
        fetch(make_library(TORCH))
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 10_000


def test_a_damaged_part_is_no_trap(hub: HubStandIn, make_library: LibraryFactory, tmp_path: Path) -> None:
    repo = hub.add("o/m", checkpoint(), large={WEIGHTS})
    folder = folder_of(hub, tmp_path)
    folder.mkdir(parents=True)
    for garbage in (noise(1000, 5), noise(300_000, 5), noise(500_000, 5)):
        (folder / f"{WEIGHTS}.part").write_bytes(garbage)
        (folder / NAME).unlink(missing_ok=True)
        (folder / WEIGHTS).unlink(missing_ok=True)
        fetch(make_library(TORCH))
        assert (folder / WEIGHTS).read_bytes() == repo.files[WEIGHTS]


def test_a_server_without_ranges_starts_over(hub: HubStandIn, make_library: LibraryFactory, tmp_path: Path) -> None:
    repo = hub.add("o/m", checkpoint(), large={WEIGHTS})
    folder = folder_of(hub, tmp_path)
    folder.mkdir(parents=True)
    (folder / f"{WEIGHTS}.part").write_bytes(noise(200_000, 5))
    hub.faults.append(Fault("/cdn/", 1, status=200, body=repo.files[WEIGHTS]))
    fetch(make_library(TORCH))
    assert (folder / WEIGHTS).read_bytes() == repo.files[WEIGHTS]


def test_stop_keeps_what_came(hub: HubStandIn, make_library: LibraryFactory, tmp_path: Path) -> None:
    hub.add("o/m", checkpoint(2_000_000), large={WEIGHTS})
    hub.faults.append(Fault("/cdn/", None, seconds_per_block=0.05))
    library, seen = make_library(TORCH), threading.Event()

    def progress(news: Loading | Queued) -> None:
        if isinstance(news, Loading) and news.download and news.download.done > 100_000:
            seen.set()

    with pytest.raises(Cancelled):
        library.prepare(TORCH, progress, seen.is_set)
    (job,) = library.jobs()
    ended = library.wait(job.id, 20)
    assert ended is not None
    assert isinstance(ended.error, Cancelled)
    part = folder_of(hub, tmp_path) / f"{WEIGHTS}.part"
    assert part.stat().st_size >= 100_000 - 20_000
    hub.faults.clear()
    before = part.stat().st_size
    fetch(library)
    assert hub.asked("/cdn/")[-1].headers["range"] == f"bytes={before}-"


def test_two_people_share_one_download(hub: HubStandIn, make_library: LibraryFactory) -> None:
    hub.add("o/m", checkpoint(500_000), large={WEIGHTS})
    hub.faults.append(Fault("/cdn/", None, seconds_per_block=0.02))
    library, results, first_gone = make_library(TORCH), [], threading.Event()

    def ask(cancelled: Callable[[], bool]) -> None:
        try:
            results.append(fetch(library, cancelled=cancelled).engine)
        except Cancelled:
            results.append("cancelled")

    threads = [threading.Thread(target=ask, args=(stop,)) for stop in (first_gone.is_set, lambda: False, lambda: False)]
    for thread in threads:
        thread.start()
    while not hub.asked("/cdn/"):
        time.sleep(0.01)
    first_gone.set()
    for thread in threads:
        thread.join(30)
    assert sorted(results) == ["cancelled", "torch", "torch"]
    assert len(hub.asked("/cdn/")) == 1
    assert len(hub.asked("/api/models")) == 1


def test_two_programs_do_not_disturb_each_other(hub: HubStandIn, make_library: LibraryFactory, tmp_path: Path) -> None:
    repo = hub.add("o/m", checkpoint(500_000), large={WEIGHTS})
    hub.faults.append(Fault("/cdn/", None, seconds_per_block=0.01))
    libraries = [make_library(TORCH), make_library(TORCH)]
    threads = [threading.Thread(target=fetch, args=(library,)) for library in libraries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (folder_of(hub, tmp_path) / WEIGHTS).read_bytes() == repo.files[WEIGHTS]
    assert len(hub.asked("/cdn/")) == 1


def test_a_full_disk_is_told_before_and_during(
    hub: HubStandIn, make_library: LibraryFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("o/m", checkpoint(3_000_000), large={WEIGHTS})
    library = make_library(TORCH)
    with monkeypatch.context() as patch:
        patch.setattr(library._fetcher, "_free", lambda _: 100 * 2**20)
        with pytest.raises(DiskFull, match=r"0\.00 GB more.*0\.10 GB free"):
            fetch(library)
    assert not hub.asked("/cdn/")
    folder = folder_of(hub, tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{WEIGHTS}.part").symlink_to("/dev/full")
    with pytest.raises(DiskFull, match="disk is full"):
        fetch(library)


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (Fault("/cdn/", None, 403), AccessNeeded, "o/m"),
        (Fault("/cdn/", None, 404), UnknownRepository, "o/m"),
        (Fault("/resolve/", None, 401, {"X-Error-Code": "GatedRepo"}), AccessNeeded, "agreement"),
        (Fault("/cdn/", None, 429, {"Retry-After": "9999"}), HubBusy, "9999 seconds"),
        (Fault("/cdn/", None, 500), HubBusy, "trouble itself"),
        (Fault("/cdn/", None, redirect="https://10.0.0.1/x"), HubError, "not followed"),
        (Fault("/cdn/", None, redirect="http://example.com/x"), HubError, "not followed"),
    ],
)
def test_refusals_on_the_way(
    hub: HubStandIn, make_library: LibraryFactory, fault: Fault, error: type[PlaygroundError], words: str
) -> None:
    hub.add("o/m", checkpoint(), large={WEIGHTS})
    hub.faults.append(fault)
    library = make_library(TORCH)
    with pytest.raises(error, match=words):
        fetch(library)
    assert library.state(TORCH) is not ModelState.HERE


def test_trouble_that_passes_does_not_end_a_download(hub: HubStandIn, make_library: LibraryFactory) -> None:
    hub.add("o/m", checkpoint(), large={WEIGHTS})
    hub.faults += [Fault("/cdn/", 1, 503), Fault("/cdn/", 1, 429, {"Retry-After": "0"})]
    assert fetch(make_library(TORCH)).path is not None


def test_a_gated_model_comes_with_the_token(hub: HubStandIn, make_library: LibraryFactory) -> None:
    hub.add("o/m", checkpoint(), large={WEIGHTS}, gated=True)
    with pytest.raises(AccessNeeded, match="hf auth login"):
        fetch(make_library(TORCH))
    assert fetch(make_library(TORCH, token=hub.token)).path is not None
    assert all("authorization" not in seen.headers for seen in hub.asked("/cdn/"))


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"config.json": b"{}", "pytorch_model.bin": b"x"}, "run code"),
        ({"model.zip": b"PK", "inner.zip": b"PK"}, "archives are not opened"),
        (checkpoint() | {"../../escaped.json": b"{}"}, "lead out"),
        (checkpoint() | {"/etc/cron.d/x.json": b"{}"}, "lead out"),
        (checkpoint() | {"config.json": b'{"a": 1, "a": 2}'}, "twice"),
        (checkpoint() | {"config.json": b"[" * 50_000}, "damaged"),
    ],
)
def test_malicious_repositories_leave_nothing(
    hub: HubStandIn, make_library: LibraryFactory, tmp_path: Path, files: dict[str, bytes], words: str
) -> None:
    hub.add("o/m", files)
    with pytest.raises(RefusedRepository, match=words):
        fetch(make_library(TORCH))
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and not path.name.endswith(".lock")]


def test_offline_without_the_model_says_so(make_library: LibraryFactory) -> None:
    with pytest.raises(HubUnreachable, match="offline"):
        fetch(make_library(TORCH, offline=True))


def test_a_manifest_that_lies_is_not_believed(hub: HubStandIn, make_library: LibraryFactory, tmp_path: Path) -> None:
    hub.add("o/m", checkpoint(), large={WEIGHTS})
    library = make_library(TORCH)
    fetch(library)
    folder = folder_of(hub, tmp_path)
    (folder / WEIGHTS).write_bytes(b"short")
    assert library.state(TORCH) is ModelState.PARTLY
    fetch(library)
    assert (folder / WEIGHTS).read_bytes() == hub.repos["o/m"].files[WEIGHTS]
    (folder / NAME).write_text('{"repo": "o/m", "commit": "x", "files": {"../x": {}}, "selections": {}}')
    assert read_manifest(folder) is None


def test_variants_of_one_repository_share_its_folder(
    hub: HubStandIn, make_library: LibraryFactory, tmp_path: Path
) -> None:
    hub.add("o/m", genai("cpu/int4") | genai("cuda/fp16"))
    small = spec_of(format="genai", model_id="small")
    large = spec_of(format="genai", variant="cuda/fp16", model_id="large")
    library = make_library(small, large)
    assert fetch(library, small).path == folder_of(hub, tmp_path) / "cpu/int4"
    assert library.state(large) is not ModelState.HERE
    assert (fetch(library, large).path, fetch(library, small).path) == (
        folder_of(hub, tmp_path) / "cuda/fp16",
        folder_of(hub, tmp_path) / "cpu/int4",
    )
    assert fetch(library, large).precision == "fp16"
