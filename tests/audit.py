"""`make audit`: whether anything that is installed here has a known vulnerability, by pip-audit.

A vulnerability fails. Where the service that knows them cannot be asked, one line says so and nothing fails: the tests
must run without the network too. The wait has a limit.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SECONDS = 120.0
"""For everything together; each connection gets less."""
ACCEPTED: Mapping[str, str] = {}
"""Id of a vulnerability -> why it does no harm here. Nothing is accepted without a reason."""
COMMAND = (sys.executable, "-m", "pip_audit", "--local", "--progress-spinner", "off", "--timeout", "10")


def main(command: Sequence[str] = COMMAND, seconds: float = SECONDS) -> int:
    """Ask, tell what came of it, and return the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "audit.json"
        ignored = [part for name in ACCEPTED for part in ("--ignore-vuln", name)]
        asked = [*command, *ignored, "--format", "json", "--output", str(report)]
        try:
            done = subprocess.run(asked, capture_output=True, text=True, timeout=seconds, check=False)
        except subprocess.TimeoutExpired:
            return _told(f"audit: NOT DONE: no answer from the advisory service within {seconds:g} s", 0)
        if not report.exists():
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            return _told(f"audit: NOT DONE: the advisory service cannot be asked ({reason:.160})", 0)
        found = json.loads(report.read_text(encoding="utf-8"))
    return _told(*judged(found["dependencies"]))


def judged(dependencies: Sequence[Mapping[str, Any]]) -> tuple[str, int]:
    """What to say about pip-audit's list, and the exit status."""
    asked = [one for one in dependencies if "vulns" in one]
    lines = [
        f"audit: {one['name']} {one['version']}: {vulnerability['id']}, "
        f"mended in {', '.join(vulnerability['fix_versions']) or 'no version yet'}"
        for one in asked
        for vulnerability in one["vulns"]
    ]
    unknown = [one["name"] for one in dependencies if "vulns" not in one]
    summary = f"audit: {len(asked)} packages, {len(lines)} known vulnerabilities"
    summary += f"; not known to the service: {', '.join(unknown)}" if unknown else ""
    return "\n".join([*lines, summary]), int(bool(lines))


def _told(text: str, status: int) -> int:
    sys.stdout.write(f"{text}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
