"""Places where a server cannot work: each gets one clear sentence, at the start or while it runs."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from benchmarks.served import ROOT, Served, serve
from playground.moderation.fingerprint import load_key
from playground.storage.database import Database
from playground.storage.migrations import migrate
from tests.catalogue import write_models
from tests.e2e.visitor import Visitor

START_SECONDS = 120
CAP_DAC_OVERRIDE, PR_CAPBSET_DROP = 1, 24


def refusal(*options: str, before: Callable[[], None] | None = None) -> str:
    """What the app says when it does not start; `before` is done in its process first."""
    command = [sys.executable, str(ROOT / "app.py"), "--port", "0", "--default-model", "echo", *options]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=START_SECONDS, check=False, preexec_fn=before
    )
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stderr.strip().split("\n")[-1]


def test_a_port_that_somebody_else_has(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = refusal("--port", str(port), "--data-dir", str(tmp_path))
    assert said == f"Cannot listen on 127.0.0.1:{port} (Address already in use). Try another --port."
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_a_database(tmp_path: Path) -> None:
    diary = b"Dear diary, this is not a database." * 100
    (tmp_path / "playground.db").write_bytes(diary)
    said = refusal("--data-dir", str(tmp_path))
    assert said.endswith("The database file is not a database. Move it away, or choose another folder with --data-dir.")
    assert (tmp_path / "playground.db").read_bytes() == diary


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (
            {"engine": "telepathy"},
            "asks for an engine named telepathy; there are: echo, onnx, remote, torch. Correct its catalogue",
        ),
        ({"engine_options": {"size": 3}}, "has an engine option named size; echo knows: backwards, delay_seconds, "),
    ],
)
def test_a_catalogue_that_asks_for_what_there_is_not(tmp_path: Path, row: dict[str, object], sentence: str) -> None:
    models = write_models(tmp_path / "models.toml", {"mine": row})
    assert f"The model mine {sentence}" in refusal("--models-file", str(models), "--data-dir", str(tmp_path))


def obey_permissions() -> None:
    """Root may write everywhere: give that up."""
    if os.geteuid() == 0:
        ctypes.CDLL(None, use_errno=True).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


@pytest.mark.parametrize("filled", [False, True], ids=["empty", "with conversations"])
def test_a_data_folder_that_may_only_be_read(tmp_path: Path, filled: bool) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    if filled:
        database = Database(f"sqlite:///{folder / 'playground.db'}")
        migrate(database)
        database.close()
        load_key(folder)
        (folder / "playground.db").chmod(0o444)
    folder.chmod(0o555)
    try:
        said = refusal("--data-dir", str(folder), before=obey_permissions)
    finally:
        folder.chmod(0o755)
    assert "may only be read" in said if filled else "cannot be used (Permission denied)" in said
    assert said.endswith("with --data-dir.")


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path | None]:
    """A disk of four megabytes; None where this user may not make one."""
    folder = tmp_path_factory.mktemp("disk")
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if made.returncode != 0:
        yield None
        return
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="module")
def app(disk: Path | None) -> Iterator[Served]:
    """The app on that disk, or on the ordinary one."""
    with serve("--default-model", "echo", data_dir=disk / "data" if disk else None) as served:
        yield served
        assert "Traceback" not in served.log.read_text(encoding="utf-8")


def is_full(disk: Path) -> bool:
    return shutil.disk_usage(disk).free == 0


@contextmanager
def full_disk(app: Served, disk: Path | None) -> Iterator[None]:
    """Leave no room on the disk; without one of our own, let no file of the app grow."""
    if disk is None:
        app.process.rlimit(psutil.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        yield
        app.process.rlimit(psutil.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        return
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        while not is_full(disk):
            file.write(bytes(4096))
    yield
    ballast.unlink()


def test_a_full_disk(app: Served, disk: Path | None) -> None:
    with Visitor(app.address) as visitor:
        visitor.talk("Keep this.")
        long = "And also this. " * 1000
        visitor.fire("settings", "save", data={"system_prompt": "", "params": {"max_tokens": 8192}})
        with full_disk(app, disk):
            visitor.ask(long)
            expected = "The disk is full, so nothing can be saved. Free some space and try again."
            assert (expected if disk else "The disk reported an error") in visitor.notice
            assert visitor.value("composer")["outcome"] == "refused"
            assert visitor.shown == ["Keep this."] * 2
        assert visitor.talk(long)[2:] == [long.strip()] * 2
        assert visitor.notice == ""


def test_a_database_that_another_program_keeps_locked(app: Served) -> None:
    with Visitor(app.address) as visitor:
        visitor.talk("Keep this.")
        other = sqlite3.connect(app.data_dir / "playground.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        visitor.ask("And also this.")
        assert "Another program keeps the database locked. Close that program, or try again" in visitor.notice
        assert visitor.value("composer")["outcome"] == "refused"
        with visitor.tab(f"c={visitor.conversation}") as second:  # reading goes on
            assert second.shown == ["Keep this."] * 2
        other.execute("ROLLBACK")
        other.close()
        assert visitor.talk("And also this.")[2:] == ["And also this."] * 2
