"""nginx before several app processes, set up as docs/scaling.md says."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs" / "scaling.md"
MISSING = "nginx is missing: run tests/install-servers.sh."
FRAME = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{site}
}}
"""


def documented_site() -> str:
    """The configuration as the documentation shows it."""
    return DOCS.read_text(encoding="utf-8").split("```nginx\n")[1].split("\n```")[0]


@contextmanager
def proxied(ports: Sequence[int]) -> Iterator[str]:
    """The address of a proxy before servers on these ports."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.fail(MISSING)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    servers = "\n        ".join(f"server 127.0.0.1:{one} max_fails=1 fail_timeout=2s;" for one in ports)
    site = re.sub(r"server app:7860[^;]*;", servers, documented_site()).replace(
        "listen 80;", f"listen 127.0.0.1:{port};"
    )
    with tempfile.TemporaryDirectory(prefix="playground-nginx-") as folder:
        configuration = Path(folder) / "nginx.conf"
        configuration.write_text(FRAME.format(folder=folder, site=site), encoding="utf-8")
        process = subprocess.Popen([program, "-c", str(configuration), "-p", folder], stderr=subprocess.PIPE)
        try:
            _await(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.communicate(timeout=20)


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"nginx did not start: {(process.communicate()[1] or b'').decode()[-500:]}")
            time.sleep(0.02)
        else:
            return
