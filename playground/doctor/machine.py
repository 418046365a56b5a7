"""Python, processor, memory, disk, open files. Everything read can be replaced."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from playground.catalog.machine import Memory, read_memory
from playground.doctor.findings import Finding, fix, note, ok

OLDEST = (3, 11)
_GIB = 2**30
_LEAST_MEMORY, _LITTLE_MEMORY = 0.75 * _GIB, 2 * _GIB
_LEAST_DISK, _LITTLE_DISK = 0.2 * _GIB, 3 * _GIB
_FEW_FILES = 1024
# What ONNX Runtime's and PyTorch's quick kernels need; of the rest it is told what is there.
_NEEDED = {"x86_64": ("avx2", "fma"), "amd64": ("avx2", "fma"), "aarch64": ("asimd",)}
_TELLING = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimd", "asimddp", "i8mm", "sve")


def examine_python(
    version: tuple[int, ...] = sys.version_info[:3], bits: int = sys.maxsize.bit_length() + 1
) -> Finding:
    """Whether the interpreter is new enough, and of 64 bits."""
    said = f"{'.'.join(map(str, version))}, {bits} bits, {sys.executable}"
    if version[:2] < OLDEST or bits < 64:
        return fix("Python", said, "Install Python 3.11 or newer (64 bits) and make the environment anew.")
    return ok("Python", said)


def examine_processor(root: Path = Path("/"), machine: str = "") -> Finding:
    """Cores that this process may use, and what they can do."""
    kind = (machine or platform.machine()).lower()
    able = read_features(root)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    told = [name for name in _TELLING if name in able]
    said = f"{kind}, {cores} cores, {', '.join(told) or 'no features told'}"
    missing = [name for name in _NEEDED.get(kind, ()) if able and name not in able]
    if missing:
        advice = (
            f"Models will be many times slower without {' and '.join(missing)}; use another machine, or remote models."
        )
        return note("Processor", said, advice)
    return ok("Processor", said)


def read_features(root: Path = Path("/")) -> frozenset[str]:
    """What the kernel says the first processor can do; empty where it does not say."""
    try:
        lines = (root / "proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    line = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return frozenset(line.partition(":")[2].split())


def examine_memory(memory: Memory | None = None) -> Finding:
    """How much memory is free for models."""
    memory = memory or read_memory()
    if not memory.total_bytes:
        return note("Memory", "cannot be told here", "See to it that 2 GiB are free.")
    said = f"{memory.free_bytes / _GIB:.1f} of {memory.total_bytes / _GIB:.1f} GiB free"
    if memory.free_bytes < _LEAST_MEMORY:
        return fix("Memory", said, "Close other programs: the playground with its own models needs about 0.75 GiB.")
    if memory.free_bytes < _LITTLE_MEMORY:
        return note("Memory", said, "Enough for the models that ship; others need more.")
    return ok("Memory", said)


def examine_disk(folder: Path, free_bytes: int | None = None) -> Finding:
    """How much room there is where conversations and models are kept."""
    free = shutil.disk_usage(nearest(folder)).free if free_bytes is None else free_bytes
    said = f"{free / _GIB:.1f} GiB free for {folder}"
    if free < _LEAST_DISK:
        return fix("Disk", said, "Free some space, or choose another folder with --data-dir.")
    if free < _LITTLE_DISK:
        return note("Disk", said, "Enough for conversations; models to be downloaded need more.")
    return ok("Disk", said)


def examine_files() -> Iterator[Finding]:
    """How many files and connections may be open at once; nothing where the system has no such limit."""
    try:
        import resource  # noqa: PLC0415  not on every system
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < _FEW_FILES:
        yield note(
            "Open files", f"{soft} at most", f"Allow more before serving many people: ulimit -n {min(hard, 4096)}"
        )
    else:
        yield ok("Open files", f"{soft} at most")


def nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    path = folder.absolute()
    while not path.exists():
        path = path.parent
    return path
