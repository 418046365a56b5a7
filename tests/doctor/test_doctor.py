"""Every examination on machines that are well and on machines that are not."""

from __future__ import annotations

import hashlib
import json
import socket
import sqlite3
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from playground.catalog.machine import Gpu, Memory
from playground.commands.program import main
from playground.config import Settings
from playground.doctor import machine, models, packages, place, safety
from playground.doctor.findings import State
from playground.engines.choice import Setup
from playground.services import open_database

GIB = 2**30


@pytest.mark.parametrize(
    ("version", "bits", "state"), [((3, 11, 2), 64, State.OK), ((3, 10, 9), 64, State.FIX), ((3, 12, 0), 32, State.FIX)]
)
def test_python(version: tuple[int, ...], bits: int, state: State) -> None:
    assert machine.examine_python(version, bits).state is state


@pytest.mark.parametrize(
    ("flags", "kind", "state"),
    [
        ("flags\t\t: fpu avx2 fma avx512_vnni", "x86_64", State.OK),
        ("flags\t\t: fpu sse4_2", "x86_64", State.NOTE),
        ("Features\t: fp asimd", "aarch64", State.OK),
        ("nothing: told", "x86_64", State.OK),
    ],
)
def test_processor(tmp_path: Path, flags: str, kind: str, state: State) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text(f"processor: 0\n{flags}\n", encoding="utf-8")
    assert machine.examine_processor(tmp_path, kind).state is state


@pytest.mark.parametrize(
    ("total", "free", "state"),
    [(16, 8, State.OK), (16, 1, State.NOTE), (16, 0.5, State.FIX), (0, 0, State.NOTE)],
)
def test_memory(total: float, free: float, state: State) -> None:
    assert machine.examine_memory(Memory(int(total * GIB), int(free * GIB))).state is state


@pytest.mark.parametrize(("free", "state"), [(10, State.OK), (1, State.NOTE), (0.1, State.FIX)])
def test_disk(tmp_path: Path, free: float, state: State) -> None:
    assert machine.examine_disk(tmp_path / "not" / "there", int(free * GIB)).state is state


def test_packages(tmp_path: Path) -> None:
    pins = tmp_path / "requirements.txt"
    pins.write_text("# pins\ntransformers==5.24.0\ntorch==2.13.0\nonnxruntime==1.32.0\n", encoding="utf-8")
    well = {"transformers": "5.24.0", "torch": "2.13.0+cpu", "onnxruntime-gpu": "1.32.0"}
    assert [one.state for one in packages.examine_packages(pins, well.get)] == [State.OK]
    old = well | {"transformers": "5.2.1"}
    assert [one.state for one in packages.examine_packages(pins, old.get)] == [State.FIX, State.NOTE]
    assert "torch==2.13.0" in packages.examine_packages(pins, {"transformers": "5.24.0"}.get)[0].said
    assert packages.examine_packages(tmp_path / "none.txt")[0].state is State.NOTE


def test_what_is_installed_here_is_found() -> None:
    assert packages.installed_version("gradio")
    assert packages.installed_version("surely-not-installed") is None
    assert len(packages.read_pins(packages.REQUIREMENTS)) > 15


def test_a_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    assert place.examine_folder(tmp_path / "new").state is State.OK
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert place.examine_folder(tmp_path / "file").state is State.FIX
    assert place.examine_copies(tmp_path / "file").state is State.FIX
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_network_disk_is_told(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda1 / ext4 rw 0 0\nserver:/x {tmp_path} nfs4 rw 0 0\n", encoding="utf-8")
    assert place.file_system(tmp_path / "data", mounts) == "nfs4"
    found = place.examine_folder(tmp_path / "data", mounts)
    assert (found.state, "network disk" in found.said) == (State.FIX, True)
    assert place.file_system(tmp_path, tmp_path / "none") == ""


def test_databases(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    assert place.examine_database(settings).said.endswith("will be made")
    assert not (tmp_path / "data").exists()
    open_database(settings).close()
    assert place.examine_database(settings).state is State.OK
    connection = sqlite3.connect(tmp_path / "data/playground.db")
    connection.execute("DELETE FROM migrations WHERE name LIKE 'm007%'")
    connection.commit()
    connection.close()
    assert place.examine_database(settings).state is State.NOTE
    (tmp_path / "data/playground.db").write_bytes(b"Dear diary. " * 1000)
    assert place.examine_database(settings).state is State.FIX


class Alive(BaseHTTPRequestHandler):
    """Another playground, as far as can be seen."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"status": "ok"}')

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def hang_up(listener: socket.socket) -> None:
    """Some other program."""
    listener.accept()[0].close()


def test_addresses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = Settings(port=other.getsockname()[1])
    assert place.examine_address(taken).state is State.OK
    with socket.create_server(("127.0.0.1", 0)) as other:
        threading.Thread(target=hang_up, args=(other,), daemon=True).start()
        assert place.examine_address(Settings(port=other.getsockname()[1])).state is State.FIX
    with HTTPServer(("127.0.0.1", 0), Alive) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        found = place.examine_address(Settings(port=server.server_port))
        thread.join()
    assert (found.state, "is running" in found.said) == (State.OK, True)


def test_openness() -> None:
    assert [one.state for one in place.examine_openness(Settings())] == [State.OK]
    told = list(place.examine_openness(Settings(host="0.0.0.0", api_keys="off")))
    assert [one.subject for one in told] == ["Openness", "API", "Workbench"]


def test_files_of_models_are_compared(tmp_path: Path) -> None:
    assert models.examine_files().state is State.OK
    assert models.examine_files(tmp_path).state is State.FIX
    (tmp_path / "model.bin").write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    (tmp_path / "SHA256SUMS").write_text(f"{digest}  model.bin\n{digest}  gone.bin\n", encoding="utf-8")
    assert models.examine_files(tmp_path).said == "not as published: gone.bin"


def test_every_file_of_the_models_that_ship_has_its_sum() -> None:
    files = {file for file in models.EMBEDDED.rglob("*") if file.suffix in {".onnx", ".npz", ".json", ".jinja"}}
    sums = [file for pattern in ("SHA256SUMS", "*.sha256") for file in models.EMBEDDED.rglob(pattern)]
    named = {file.parent / line.split("  ")[1] for file in sums for line in file.read_text().splitlines()}
    assert files - named == {models.EMBEDDED / "toxicity/figures.json"}


def test_the_catalogue(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert models.examine_catalog(settings).state is State.OK
    assert models.examine_catalog(replace(settings, default_model="nobody")).state is State.FIX


def test_the_embedded_model_answers_in_a_worker() -> None:
    found = list(models.examine_engines())
    assert [one.state for one in found] == [State.OK]
    assert "pip answered with" in found[0].said
    assert list(models.examine_engines("nobody"))[-1].state is State.FIX


@pytest.mark.parametrize(
    ("setup", "device", "state"),
    [
        (Setup(), "auto", State.OK),
        (Setup(), "cuda", State.FIX),
        (Setup(cuda=True), "auto", State.NOTE),
        (Setup(cuda=True), "cuda", State.FIX),
        (Setup(cuda=True, cuda_engines=frozenset({"torch"})), "auto", State.OK),
    ],
)
def test_cards(setup: Setup, device: str, state: State) -> None:
    gpu = Gpu("NVIDIA X", Memory(8 * GIB, 7 * GIB))
    assert models.examine_card(Settings(device=device), setup, gpu).state is state  # type: ignore[arg-type]


def test_moderation(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, policy="standard")
    assert [one.state for one in safety.examine_moderation(settings, network=False)] == [State.OK]
    off = safety.examine_moderation(replace(settings, policy="off"), network=False)
    assert [one.state for one in off] == [State.NOTE]
    unknown = list(safety.examine_moderation(replace(settings, policy="none.toml"), network=False))
    assert unknown[0].state is State.FIX
    remote = replace(settings, moderation_url="http://127.0.0.1:9/v1/moderations")
    unasked = list(safety.examine_moderation(remote, network=False))
    assert [one.state for one in unasked] == [State.NOTE, State.OK]
    asked = list(safety.examine_moderation(remote, network=True))
    assert (asked[0].state, "remote cannot run" in asked[0].said) == (State.FIX, True)


def test_the_command_tells_all_and_its_status_what_must_be_mended(
    isolated: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PLAYGROUND_OPERATOR_TOKEN", "quite-secret")
    monkeypatch.setattr(models, "_tried", lambda model_id: models.ok("Engine", model_id))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("PLAYGROUND_PORT", str(port))
    status = main(["doctor", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["healthy"] is (status == 0)
    assert {"Python", "Packages", "Memory", "Disk", "Database", "Embedded models", "Moderation", "Hub"} <= {
        one["subject"] for one in told["findings"]
    }
    assert "quite-secret" not in json.dumps(told)
    monkeypatch.setenv("PLAYGROUND_PROT", "1")
    assert main(["doctor"]) == 1
    shown = capsys.readouterr().out
    assert "fix   Settings" in shown
    assert "Did you mean port?" in shown
    assert f"{sys.version_info[0]}.{sys.version_info[1]}" in shown
    assert not (isolated / "data").exists()
