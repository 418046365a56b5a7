"""How much memory this machine has left, on the CPU's side and on the first GPU. Everything read can be replaced."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

_GPU_QUERY = ("--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits")
_GPU_SECONDS = 10
_UNLIMITED = 2**60  # cgroup v1 writes a number near 2**63 for "no limit"
Ask = Callable[[], str | None]


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of one kind of memory: what there is, and what is free for a new process."""

    total_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True)
class Gpu:
    """A graphics card and its memory."""

    name: str
    memory: Memory


@dataclass(frozen=True, slots=True)
class Machine:
    """What a model can be put on. `gpu` is the first card that NVIDIA's driver lists, None without one."""

    memory: Memory
    gpu: Gpu | None = None


def read_machine(root: Path = Path("/"), ask_gpu: Ask | None = None) -> Machine:
    """This machine as it is right now.

    `root` is where `/proc` and `/sys` are looked for. `ask_gpu` gives the lines of `nvidia-smi` (None: no card); by
    default the program is run, if there is one.
    """
    return Machine(read_memory(root), parse_gpu((ask_gpu or ask_nvidia_smi)()))


def read_memory(root: Path = Path("/")) -> Memory:
    """Memory of this machine, or of the container it is in where that has a smaller limit.

    Free is what the kernel estimates a new process can take without swapping (`MemAvailable`), and at most what the
    container's limit leaves. Page cache that the container may give back counts as free. Both are 0 where nothing
    tells.
    """
    known = _meminfo(root / "proc/meminfo")
    total, free = known.get("MemTotal", 0), known.get("MemAvailable", known.get("MemFree", 0))
    for limit, used in _limits(root):
        total = min(total, limit) if total else limit
        free = min(free, max(0, limit - used)) if known else max(0, limit - used)
    return Memory(total, free)


def parse_gpu(text: str | None) -> Gpu | None:
    """The first card in what `nvidia-smi` wrote (name, total and free MiB, with commas between); None without one."""
    for line in (text or "").splitlines():
        name, _, numbers = line.partition(",")
        total, _, free = numbers.partition(",")
        if total.strip().isdecimal() and free.strip().isdecimal():
            return Gpu(name.strip(), Memory(int(total) * 2**20, int(free) * 2**20))
    return None


def ask_nvidia_smi() -> str | None:
    """Run `nvidia-smi`, which comes with the driver: far cheaper than loading a CUDA library into this process."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    try:
        answer = subprocess.run(  # noqa: S603  the driver's program, with fixed arguments
            [program, *_GPU_QUERY], capture_output=True, text=True, timeout=_GPU_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout if answer.returncode == 0 else None


def _meminfo(file: Path) -> dict[str, int]:
    """Bytes by name, for lines such as `MemAvailable:  21245340 kB`."""
    found: dict[str, int] = {}
    for line in _lines(file):
        name, _, value = line.partition(":")
        number = value.split()[0] if value.split() else ""
        if number.isdecimal():
            found[name] = int(number) * 1024
    return found


def _limits(root: Path) -> Iterable[tuple[int, int]]:
    """(limit, used) in bytes of every control group this process is in, from its own up to the top."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers == "":
            base, names = root / "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            base = root / "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        group = Path(path.lstrip("/"))
        for folder in (group, *group.parents):
            yield from _limit(base / folder, *names)


def _limit(folder: Path, limit_name: str, used_name: str, cache_name: str) -> Iterable[tuple[int, int]]:
    limit, used = _number(folder / limit_name), _number(folder / used_name)
    if limit is None or limit >= _UNLIMITED:
        return
    cache = next(
        (line.split()[-1] for line in _lines(folder / "memory.stat") if line.startswith(f"{cache_name} ")), "0"
    )
    yield limit, max(0, (used or 0) - (int(cache) if cache.isdecimal() else 0))


def _number(file: Path) -> int | None:
    text = "".join(_lines(file)).strip()
    return int(text) if text.isdecimal() else None


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
