"""Whether the packages that are installed are those that `requirements.txt` pins."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from playground.doctor.findings import Finding, fix, note, ok

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements.txt"
_PIN = re.compile(r"([A-Za-z0-9][\w.-]*)==([^\s;#]+)")
# Built for a graphics card, under a name of their own.
_INSTEAD = {"onnxruntime": ("onnxruntime-gpu",), "onnxruntime-genai": ("onnxruntime-genai-cuda",)}
# Below these, something that strangers write can run code (CVE-2026-4372).
_UNSAFE = {"transformers": (5, 3)}
Installed = Callable[[str], str | None]


def examine_packages(file: Path = REQUIREMENTS, installed: Installed | None = None) -> list[Finding]:
    """One finding when all is as pinned; else one for what is missing, one for what differs, one for what is unsafe."""
    pins = read_pins(file)
    if not pins:
        return [note("Packages", f"{file.name} is not beside the program", "Compare them with those of the release.")]
    look = installed or installed_version
    found = {name: next((one for one in map(look, (name, *_INSTEAD.get(name, ()))) if one), None) for name in pins}
    missing = [f"{name}=={pins[name]}" for name, there in found.items() if there is None]
    other = [f"{name} {there} instead of {pins[name]}" for name, there in found.items() if _differs(there, pins[name])]
    unsafe = [f"{name} {there}" for name, there in found.items() if there and _numbers(there) < _UNSAFE.get(name, ())]
    told = []
    mend = f"python -m pip install -r {file}"
    if missing:
        told.append(fix("Packages", f"missing: {', '.join(missing)}", mend))
    if unsafe:
        told.append(fix("Packages", f"a crafted model can run code with {', '.join(unsafe)}", mend))
    if other:
        told.append(note("Packages", f"not as tested: {', '.join(other)}", mend))
    return told or [ok("Packages", f"{len(pins)} packages as pinned")]


def read_pins(file: Path) -> dict[str, str]:
    """Name and version of every pinned requirement; none when there is no such file."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return {found[1]: found[2] for line in lines if (found := _PIN.match(line.strip()))}


def installed_version(name: str) -> str | None:
    """The version of an installed package, None when it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _differs(there: str | None, pinned: str) -> bool:
    """A build for another processor or card (`2.13.0+cpu`) is the same version."""
    return there is not None and there.partition("+")[0] != pinned.partition("+")[0]


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text.partition("+")[0])[:2])
