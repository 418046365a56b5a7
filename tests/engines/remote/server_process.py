"""A real server of somebody else's, as a process on loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_SECONDS = 150


@dataclass
class ServerProcess:
    """A running server; `model` is what its model is called there."""

    process: subprocess.Popen[bytes]
    port: int
    model: str
    log: Path

    @classmethod
    def start(cls, command: Callable[[int], Sequence[str]], model: str, log: Path) -> ServerProcess:
        """Run `command(port)` on a free port, one thread to compute with, its output in `log`."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        with log.open("wb") as output:
            process = subprocess.Popen(command(port), stdout=output, stderr=subprocess.STDOUT, env=environment)
        return cls(process, port, model, log)

    @property
    def row(self) -> dict[str, Any]:
        """The server's table in a row of the catalogue."""
        return {"url": f"http://127.0.0.1:{self.port}/v1", "model": self.model}

    def wait(self) -> None:
        """Until it listens."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError(self.log.read_text(encoding="utf-8"))

    def end(self) -> None:
        """Kill it, if it is still there."""
        self.process.kill()
        self.process.wait(timeout=30)
