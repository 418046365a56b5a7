"""The audit of dependencies: a vulnerability fails; a service that cannot be asked does not, nor does it hang."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.audit import judged, main

ROOT = Path(__file__).parents[1]
SOUND = {"name": "sound", "version": "1.0", "vulns": []}
BAD = {"name": "bad", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1", "2.0"]}]}
HOPELESS = {"name": "hopeless", "version": "3", "vulns": [{"id": "PYSEC-2", "fix_versions": []}]}
UNKNOWN = {"name": "own", "skip_reason": "not found"}


def writing(tmp_path: Path, body: str) -> tuple[str, ...]:
    """A program that is called as pip-audit is; `report` is where its answer belongs."""
    program = tmp_path / "program.py"
    program.write_text(f"import json, sys, time\nreport = sys.argv[sys.argv.index('--output') + 1]\n{body}\n")
    return sys.executable, str(program)


def test_a_vulnerability_is_named_with_its_cure_and_fails() -> None:
    text, status = judged([SOUND, BAD, HOPELESS, UNKNOWN])
    assert status == 1
    assert text.splitlines() == [
        "audit: bad 1.0: PYSEC-1, mended in 1.1, 2.0",
        "audit: hopeless 3: PYSEC-2, mended in no version yet",
        "audit: 3 packages, 2 known vulnerabilities; not known to the service: own",
    ]
    assert judged([SOUND]) == ("audit: 1 packages, 0 known vulnerabilities", 0)


@pytest.mark.parametrize(("dependencies", "status"), [([SOUND], 0), ([SOUND, BAD], 1)])
def test_the_report_decides_and_not_the_exit_status(
    tmp_path: Path, dependencies: list[object], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    body = f"open(report, 'w').write({json.dumps(json.dumps({'dependencies': dependencies}))}); sys.exit(1)"
    assert main(writing(tmp_path, body)) == status
    assert f"{len(dependencies)} packages" in capsys.readouterr().out


def test_no_answer_is_one_line_and_no_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(writing(tmp_path, "sys.exit('first line\\nConnection refused')")) == 0
    assert main(writing(tmp_path, "time.sleep(60)"), seconds=0.5) == 0
    assert capsys.readouterr().out.splitlines() == [
        "audit: NOT DONE: the advisory service cannot be asked (Connection refused)",
        "audit: NOT DONE: no answer from the advisory service within 0.5 s",
    ]


def test_the_real_program_without_a_network_ends_soon_and_says_so() -> None:
    """Through a proxy that nobody is behind, so that it is the same on every machine."""
    nowhere = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "ALL_PROXY"), "http://127.0.0.1:9")
    done = subprocess.run(
        [sys.executable, "-m", "tests.audit"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **nowhere},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert line.startswith("audit: NOT DONE: the advisory service cannot be asked (")
