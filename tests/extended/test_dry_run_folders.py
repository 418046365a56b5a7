"""What `spaces.deploy --dry-run` builds for each flavour starts in a clean environment and answers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from spaces.flavours import FLAVOURS
from tests.e2e.visitor import Visitor
from tests.spaces.conftest import ROOT
from tests.spaces.device_api import DeviceApi
from tests.spaces.running import Running, running
from tests.spaces.test_zerogpu import variables


def dry_run(flavour: str, folder: Path) -> Path:
    """The folder, by the command that people type."""
    command = [
        sys.executable,
        "-m",
        "spaces.deploy",
        "me/play",
        "--flavour",
        flavour,
        "--dry-run",
        "--folder",
        str(folder),
    ]
    done = subprocess.run(
        [*command, "--model", "pip"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "dry run: nothing was sent" in done.stdout
    return folder


@contextmanager
def started(flavour: str, folder: Path, tmp: Path) -> Iterator[Running]:
    """The folder as a Space; ZeroGPU's with the stand-ins for its package and for the API that lends cards."""
    if flavour != "zerogpu":
        with running(folder, tmp / "home", {"PLAYGROUND_DEVICE": "cpu"}) as space:
            yield space
        return
    with DeviceApi() as api, running(folder, tmp / "home", variables(tmp, api)) as space:
        yield space
        assert api.calls("schedule")  # a card was asked for


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_it_starts_and_answers(flavour: str, tmp_path: Path) -> None:
    folder = dry_run(flavour, tmp_path / "space")
    with started(flavour, folder, tmp_path) as space:
        with Visitor(space.address, cookies={"playground_owner": "b" * 32}) as visitor:
            said = visitor.talk("What is a token?")
        assert len(said) == 2
        assert said[1]
    assert "Traceback" not in space.log.read_text(encoding="utf-8")
