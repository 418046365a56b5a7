"""Where the peers' pythons are: one is named by who runs the benchmark, one is made here, and both may be missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

PIP_SECONDS = 1800


class PeerMissing(Exception):
    """Why a peer cannot be measured here."""


def llama_python() -> Path:
    """The python with llama-cpp-python and gguf: named by `LLAMA_PYTHON`, or made by `make test-extended`.

    Raises PeerMissing.
    """
    built = Path(__file__).parents[2] / ".venv" / "llama" / "bin" / "python"
    named = os.environ.get("LLAMA_PYTHON") or (str(built) if built.exists() else "")
    if not named:
        raise PeerMissing(
            "set LLAMA_PYTHON to a python that has llama-cpp-python and gguf (make test-extended builds one)"
        )
    if shutil.which(named) is None:
        raise PeerMissing(f"LLAMA_PYTHON names {named}, which cannot be run")
    return Path(named)


def optimum_python(cache: Path) -> Path:
    """The python of a throw-away environment in the cache, made on first use. Raises PeerMissing.

    Its transformers is old and vulnerable: it only ever reads the benchmark's own checkpoint.
    """
    needed = Path(__file__).with_name("optimum.txt")
    folder = cache / "optimum-environment"
    python, stamp = folder / "bin" / "python", folder / needed.name
    if stamp.exists() and stamp.read_bytes() == needed.read_bytes():
        return python
    print("  (making the environment of optimum-onnx)", flush=True)
    venv.create(folder, with_pip=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(needed)]
    try:
        done = subprocess.run(install, capture_output=True, text=True, timeout=PIP_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise PeerMissing(f"pip did not finish within {PIP_SECONDS} s") from None
    if done.returncode:
        raise PeerMissing(f"pip could not install it ({_last(done.stderr)})")
    shutil.copyfile(needed, stamp)
    return python


def this_python() -> Path:
    """The app's own."""
    return Path(sys.executable)


def _last(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1][:160] if lines else "no reason given"
