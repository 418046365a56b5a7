"""The app as people start it: a process of its own, on a free port, with a data folder of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

ROOT = Path(__file__).parents[1]
START_SECONDS = 120.0
_SERVING = re.compile(r"serving at (https?://[^\s\"]+)")


@dataclass(frozen=True, slots=True)
class Served:
    """A running app. `process` is its server; model workers are children of it."""

    address: str
    process: psutil.Process
    data_dir: Path
    log: Path

    def cpu_seconds(self) -> float:
        """CPU time of the server and its workers so far, user and system."""
        family = [self.process, *self.process.children(recursive=True)]
        return float(sum(part.cpu_times().user + part.cpu_times().system for part in family))

    def memory_bytes(self) -> int:
        """Resident memory of the server and its workers."""
        return sum(part.memory_info().rss for part in [self.process, *self.process.children(recursive=True)])


@contextmanager
def serve(
    *options: str, data_dir: Path | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[Served]:
    """Start `app.py` with these options and wait until the page is served; ends it afterwards.

    Its home is an empty folder, and no PLAYGROUND_ variable reaches it but those of `environment`. Options given
    here come last, and so win.
    Raises RuntimeError with the end of its log when it does not come up.
    """
    with tempfile.TemporaryDirectory() as folder:
        data = data_dir or Path(folder) / "data"
        log = Path(folder) / "log.txt"
        command = [sys.executable, str(ROOT / "app.py"), "--port", "0", "--data-dir", str(data), *options]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PLAYGROUND_")}
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                stdout=output,
                stderr=output,
                cwd=folder,
                env=inherited | {"HOME": folder} | dict(environment or {}),
            )
        try:
            yield Served(_address(process, log), psutil.Process(process.pid), data, log)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        said = log.read_text(encoding="utf-8", errors="replace")
        if found := _SERVING.search(said):
            address = found[1]
            try:
                if httpx.get(f"{address}/en/", timeout=5).status_code == 200:
                    return address
            except httpx.TransportError:
                pass
        time.sleep(0.05)
    raise RuntimeError("The app did not start:\n" + log.read_text(encoding="utf-8", errors="replace")[-2000:])
