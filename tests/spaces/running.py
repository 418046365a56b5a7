"""A built folder, started as the Hub starts it: in a clean environment, from its own folder, set up by variables."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

START_SECONDS = 150.0


@dataclass(frozen=True, slots=True)
class Running:
    """A Space that answers at `address`; `home` is its home, `log` what it wrote."""

    address: str
    process: psutil.Process
    home: Path
    log: Path


@contextmanager
def running(folder: Path, home: Path, variables: Mapping[str, str] | None = None) -> Iterator[Running]:
    """Start `python app.py` there; ends it, and what it forked, afterwards. Raises RuntimeError with its log."""
    home.mkdir(exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "SYSTEM": "spaces",
        "SPACE_ID": "me/play",
        "SPACE_HOST": "me-play.hf.space",
        "GRADIO_ANALYTICS_ENABLED": "False",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "PLAYGROUND_PORT": str(port),
        "PLAYGROUND_OFFLINE": "true",
        "PLAYGROUND_DATA_DIR": str(home / "data"),
        **(variables or {}),
    }
    log = home / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=folder, env=environment, stdout=output, stderr=output
        )
    family: list[psutil.Process] = []
    try:
        address = f"http://127.0.0.1:{port}"
        _wait(process, address, log)
        yield Running(address, psutil.Process(process.pid), home, log)
    finally:
        if process.poll() is None:
            family = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGTERM)
        _end(process, family)


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{address}/healthz", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError("The Space did not start:\n" + log.read_text(encoding="utf-8", errors="replace")[-3000:])


def _end(process: subprocess.Popen[bytes], family: list[psutil.Process]) -> None:
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for child in family:  # forked processes do not end with their parent
        if child.is_running():
            child.kill()
