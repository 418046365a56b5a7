"""`models …` against a real server, in this process and as a process that is interrupted."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from playground.catalog.catalog import SHIPPED
from playground.commands.program import main
from playground.commands.progress import ProgressLine
from playground.domain import Download, Loading, Queued, Stage
from tests.hub_stand_in import Fault, HubStandIn
from tests.library.models import checkpoint, genai

ROOT = Path(__file__).parents[2]
PIP = SHIPPED[0].parents[1] / "embedded" / "pip" / "int8"


@pytest.fixture(autouse=True)
def settings(hub: HubStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAYGROUND_HUB_ENDPOINT", hub.endpoint)


def models(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(["models", *arguments])
    shown = capsys.readouterr()
    return status, shown.out, shown.err


def test_a_model_from_search_to_removal(hub: HubStandIn, capsys: pytest.CaptureFixture[str]) -> None:
    facts = {"pipeline_tag": "text-generation", "tags": ["license:mit", "onnx"], "downloads": 1234}
    hub.add("o/pip", {path.name: path.read_bytes() for path in PIP.iterdir() if path.is_file()}, **facts)
    status, out, _ = models(capsys, "search", "pip", "--licence", "mit", "--max-size", "2B")
    assert (status, "o/pip" in out, "1,234" in out, "mit" in out) == (0, True, True, True)
    assert json.loads(models(capsys, "search", "--json")[1])[0]["repo"] == "o/pip"
    status, out, err = models(capsys, "pull", "o/pip")
    assert (status, "is ready" in out) == (0, True)
    assert "downloading" in err
    rows = {row["id"]: row for row in json.loads(models(capsys, "list", "--json")[1])["models"]}
    assert (rows["o/pip"]["state"], rows["pip"]["state"]) == ("here", "shipped")
    assert "o/pip" in models(capsys, "list")[1]
    assert "genai" in models(capsys, "show", "o/pip")[1]
    assert json.loads(models(capsys, "convert", "o/pip", "--json")[1])["engine"] == "onnx"
    assert "fits" in models(capsys, "plan", "o/pip")[1]
    assert "free again" in models(capsys, "remove", "o/pip")[1]
    status, _, err = models(capsys, "show", "o/pip")
    assert (status, "There is no model 'o/pip'" in err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pull", "no such thing"], "Paste an id"),
        (["pull", "o/nothing"], "Check the name"),
        (["pull", "o/pickle"], "run code"),
        (["pull", "o/genai", "--variant", "x"], "there are: a, b"),
        (["remove", "pip"], "no downloaded files"),
        (["show", "pipp"], "Did you mean pip"),
        (["search", "--max-size", "big"], "350M"),
    ],
)
def test_mistakes_are_sentences(
    hub: HubStandIn, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    hub.add("o/pickle", {"config.json": b"{}", "pytorch_model.bin": b"x"})
    hub.add("o/genai", genai("a") | genai("b"))
    status, out, err = models(capsys, *arguments)
    assert (status, out) == (2, "")
    assert words in err


def test_an_interrupt_keeps_what_came(hub: HubStandIn, isolated: Path) -> None:
    hub.add("o/m", checkpoint(3_000_000), large={"model.safetensors"})
    hub.faults.append(Fault("/cdn/", None, seconds_per_block=0.05))
    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    environment["PYTHONPATH"] = str(ROOT)
    # A test run in the background is started without interrupts, and hands that on.
    begin = "import signal, runpy; signal.signal(signal.SIGINT, signal.default_int_handler)"
    begin += "; runpy.run_module('playground', run_name='__main__', alter_sys=True)"
    command = [sys.executable, "-c", begin, "models", "pull", "o/m"]
    with subprocess.Popen(
        command, cwd=isolated, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 60
        while not (found := list(isolated.rglob("model.safetensors.part"))) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert found[0].stat().st_size > 0
    assert not list(isolated.rglob("manifest.json"))


def test_the_line_on_a_terminal() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    with ProgressLine(out, "M") as line:
        line.show(Queued(2))
        line.show(Loading(Stage.DOWNLOADING, 0.5, download=Download(5_000_000, 10_000_000, 1_000_000.0, 5.0)))
        line.show(Loading(Stage.CONVERTING))
    drawn = out.getvalue().split("\r")
    assert drawn[1].startswith("M: waiting, 2 in line")
    assert drawn[2] == "M: downloading [############............]  50% 5.0 of 10.0 MB, 1.0 MB/s, 0:05 left"
    assert drawn[3].rstrip() == "M: converting"
    assert drawn[3].endswith("\n")
