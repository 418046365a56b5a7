"""The API as a peer sees it: CompatCanary's conformance test, from npm, its profile for chat: `make test-extended`."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from benchmarks.served import serve

PACKAGE = "compatcanary@0.2.2"


def test_everything_but_tools_conforms(tmp_path: Path) -> None:
    assert shutil.which("npm"), "this test fetches CompatCanary: install Node.js with npm (Debian: apt-get install npm)"
    install = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(tmp_path), PACKAGE]
    subprocess.run(install, check=True, capture_output=True, timeout=120)
    program = tmp_path / "node_modules" / "compatcanary" / "src" / "cli.js"
    with serve() as app:
        asked = ["--base-url", f"{app.address}/v1", "--model", "pip", "--profile", "chat", "--format", "json"]
        scan = subprocess.run(
            ["node", str(program), "scan", *asked],
            env={"OPENAI_API_KEY": "none", "PATH": "/usr/bin:/bin:/usr/local/bin"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    report = json.loads(scan.stdout)
    found = {probe["id"]: probe["status"] for probe in report["results"]}
    assert found == {
        "models.list": "pass",
        "chat.basic": "pass",
        "chat.streaming": "pass",
        "chat.tool_call": "fail",  # tools are refused, in words: no model here was made for them
        "chat.structured_output": "pass",
    }
