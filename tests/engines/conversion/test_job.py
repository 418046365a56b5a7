"""A conversion as a process: its result, its end by cancelling, killing and silence, and what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from playground.domain import Loading, Queued, Stage
from playground.engines.conversion import ConversionRequest, convert, job
from playground.errors import Cancelled, EngineTimeout, ModelLoadError, OutOfMemory
from tests.engines.conversion.test_adapters import make_adapter


def never() -> bool:
    return False


def ignore(news: Loading | Queued) -> None:
    del news


def test_a_conversion_from_start_to_end(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    heard: list[Loading | Queued] = []
    target = tmp_path / "models" / "tiny"
    adapter = make_adapter(tmp_path / "adapter")
    leftover = target.parent / ".tiny.converting-abc123" / "model"  # its parent was killed too
    leftover.mkdir(parents=True)
    convert(ConversionRequest(checkpoint("llama3"), target, "int4", adapter=adapter), heard.append, never)
    report = json.loads((target / "conversion.json").read_text(encoding="utf-8"))
    assert report["route"] == "model builder"
    assert report["precision"] == "int4"
    assert report["drift"]["logits"] < 0.1
    assert report["versions"]["transformers"]
    stages = [item for item in heard if isinstance(item, Loading)]
    assert {item.stage for item in stages} == {Stage.CONVERTING}
    fractions = [item.fraction for item in stages if item.fraction is not None]
    assert fractions == sorted(fractions)
    assert len(fractions) >= 4
    assert [item.name for item in target.parent.iterdir()] == ["tiny"]
    assert str(tmp_path) not in (target / "conversion.json").read_text(encoding="utf-8")


def child_of(conversion: threading.Thread) -> int:
    """The process that this process's conversion runs in."""
    for _ in range(200):
        children = subprocess.run(
            ["ps", "--ppid", str(os.getpid()), "-o", "pid=,args="], capture_output=True, text=True, check=False
        ).stdout.splitlines()
        found = [line for line in children if "conversion.child" in line]
        if found:
            return int(found[0].split()[0])
        time.sleep(0.02)
    raise AssertionError(conversion.name)


def test_cancelling_ends_the_process_and_leaves_nothing(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    asked = threading.Event()
    request = ConversionRequest(checkpoint("llama3"), tmp_path / "models" / "tiny", "fp32")
    raised: list[BaseException] = []

    def run() -> None:
        try:
            convert(request, ignore, asked.is_set)
        except Cancelled as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    child = child_of(thread)
    asked.set()
    thread.join(20)
    assert raised
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    assert list((tmp_path / "models").iterdir()) == []


@pytest.mark.parametrize(("number", "kind"), [(signal.SIGKILL, OutOfMemory), (signal.SIGTERM, ModelLoadError)])
def test_a_killed_process_is_told_as_what_it_is(
    number: int, kind: type[Exception], checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    request = ConversionRequest(checkpoint("llama3"), tmp_path / "models" / "tiny", "fp32")
    raised: list[Exception] = []

    def run() -> None:
        try:
            convert(request, ignore, never)
        except (OutOfMemory, ModelLoadError) as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    os.kill(child_of(thread), number)
    thread.join(20)
    assert [type(error) for error in raised] == [kind]
    assert list((tmp_path / "models").iterdir()) == []


def test_a_silent_process_is_ended(
    checkpoint: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "SILENCE_SECONDS", 0.5)
    request = ConversionRequest(checkpoint("llama3"), tmp_path / "models" / "tiny", "fp32")
    stopped: list[int] = []

    def stop_once() -> bool:
        if not stopped:
            stopped.append(child_of(threading.current_thread()))
            os.kill(stopped[0], signal.SIGSTOP)
        return False

    with pytest.raises(EngineTimeout, match="no sign of life"):
        convert(request, ignore, stop_once)
    assert list((tmp_path / "models").iterdir()) == []


def test_what_is_refused_before_anything_is_started(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled" / "pytorch_model.bin").touch()
    for request, reason in (
        (ConversionRequest(checkpoint("llama3"), tmp_path / "model", "int3"), "There is no precision int3"),
        (ConversionRequest(checkpoint("llama3"), tmp_path / "there", "int4"), "exists already"),
        (ConversionRequest(tmp_path / "pickled", tmp_path / "model", "int4"), "no safetensors"),
    ):
        with pytest.raises(ModelLoadError, match=reason):
            convert(request, ignore, never)


def test_refusals_come_back_with_their_reasons(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    request = ConversionRequest(checkpoint("llama3"), tmp_path / "model", "fp16")
    with pytest.raises(ModelLoadError, match=r"model builder: .*CUDA only.*transformers exporter: .*CUDA only"):
        convert(request, ignore, never)
    assert list(tmp_path.iterdir()) == []
