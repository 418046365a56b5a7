"""Free memory from files that look like those of Linux, in and out of containers, and from the driver's program."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from playground.catalog.machine import Gpu, Memory, parse_gpu, read_machine, read_memory

MEMINFO = (
    "MemTotal:       24684092 kB\nMemFree:        1000 kB\nMemAvailable:   20000000 kB\nHugePages_Total:       0\n"
)
FREE = Memory(24684092 * 1024, 20000000 * 1024)


def system(root: Path, files: dict[str, str]) -> Path:
    for name, text in {"proc/meminfo": MEMINFO, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def test_this_machine() -> None:
    memory = read_memory()
    assert 0 < memory.free_bytes <= memory.total_bytes <= psutil.virtual_memory().total


def test_without_limits(tmp_path: Path) -> None:
    assert read_memory(system(tmp_path, {})) == FREE
    v2 = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}
    assert read_memory(system(tmp_path, v2)) == FREE


def test_a_container_of_the_second_kind(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/app/part\n",
        "sys/fs/cgroup/app/memory.max": "4000000000",
        "sys/fs/cgroup/app/memory.current": "3000000000",
        "sys/fs/cgroup/app/memory.stat": "anon 1\nfile 9\ninactive_file 500000000\n",
        "sys/fs/cgroup/app/part/memory.max": "max",
    }
    assert read_memory(system(tmp_path, files)) == Memory(4_000_000_000, 1_500_000_000)


def test_a_container_of_the_first_kind(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/not/seen/from/here\n0::/\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "2000000000",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": "1200000000",
        "sys/fs/cgroup/memory/memory.stat": "cache 1\ntotal_inactive_file 200000000\n",
    }
    assert read_memory(system(tmp_path, files)) == Memory(2_000_000_000, 1_000_000_000)
    files["sys/fs/cgroup/memory/memory.limit_in_bytes"] = "9223372036854771712"
    assert read_memory(system(tmp_path, files)) == FREE


def test_a_container_that_is_full(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/",
        "sys/fs/cgroup/memory.max": "1000",
        "sys/fs/cgroup/memory.current": "2000",
    }
    assert read_memory(system(tmp_path, files)) == Memory(1000, 0)


@pytest.mark.parametrize("text", ["", "MemTotal\n", "MemTotal: many kB\n", "\x00\xff"])
def test_a_system_that_tells_nothing(tmp_path: Path, text: str) -> None:
    assert read_memory(tmp_path / "nowhere") == Memory(0, 0)
    assert read_memory(system(tmp_path, {"proc/meminfo": text})) == Memory(0, 0)


@pytest.mark.parametrize(
    ("answer", "gpu"),
    [
        ("NVIDIA H100 80GB HBM3, 81559, 80995\n", Gpu("NVIDIA H100 80GB HBM3", Memory(81559 * 2**20, 80995 * 2**20))),
        ("[N/A]\nTesla T4, 15360, 100\nTesla T4, 15360, 200\n", Gpu("Tesla T4", Memory(15360 * 2**20, 100 * 2**20))),
        ("NVIDIA GB10, [N/A], [N/A]\n", None),
        ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", None),
        ("", None),
        (None, None),
    ],
)
def test_graphics_cards(tmp_path: Path, answer: str | None, gpu: Gpu | None) -> None:
    assert parse_gpu(answer) == gpu
    machine = read_machine(system(tmp_path, {}), lambda: answer)
    assert machine.memory == FREE
    assert machine.gpu == gpu


@pytest.mark.parametrize(("status", "found"), [(0, True), (9, False)])
def test_the_drivers_program_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, found: bool
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\necho 'Card, 100, 50'\nexit {status}\n", encoding="ascii")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert (read_machine().gpu is not None) is found
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert read_machine().gpu is None
