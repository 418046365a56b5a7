"""Hugging Face's own package for ZeroGPU lends a card, as far as that goes without one: fork, stream, stop, quota.

`ZEROGPU_PACKAGE` is the folder it was installed into (by `make test-extended`); PyTorch is hidden from it, because
it takes a build for CUDA for granted. `tests/spaces` does the same with a stand-in.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.spaces.conftest import ROOT
from tests.spaces.device_api import DeviceApi

PACKAGE = os.environ.get("ZEROGPU_PACKAGE", "")
PROGRAM = """
import os
import spaces
from contextlib import closing
from playground.catalog.spec import ModelSpec
from playground.domain import SamplingParams
from playground.engines.contract import EngineOptions, Prompt, Turn
from playground.engines.lease import Lease, seconds_for
from playground.engines.leased_engine import LeasedEngine
from playground.engines.lent_card import LentCard

CARD = LentCard()

@spaces.GPU(duration=seconds_for)
def generate(job):
    yield from CARD.answer(job)

import gradio as gr
from gradio.context import LocalContext
from starlette.requests import Request

scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [(b"x-ip-token", b"a.e30.b")]}
LocalContext.request.set(gr.Request(Request(scope)))
spec = ModelSpec(id="echo", name="Echo", family="Echo", engine="echo", context_length=1000, description={}, licence="",
                 languages=(), engine_options={"piece_chars": 3, "delay_seconds": 0.02})
engine = LeasedEngine(spec, EngineOptions(), Lease(call=generate, engines=frozenset({"echo"})))
prompt = Prompt((Turn("user", "Xin chào các bạn"),))
for _ in range(2):
    print("".join(piece.text for piece in engine.generate(prompt, SamplingParams())), flush=True)
with closing(engine.generate(prompt, SamplingParams())) as pieces:
    next(piece for piece in pieces if piece.text)
print("".join(piece.text for piece in engine.generate(prompt, SamplingParams())), flush=True)
from spaces import zero
zero.startup()
os._exit(0)
"""


@pytest.mark.skipif(not PACKAGE, reason="ZEROGPU_PACKAGE does not say where the package is")
def test_the_package_lends_a_card(tmp_path: Path) -> None:
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden/torch.py").write_text('raise ImportError("hidden")', encoding="utf-8")
    (tmp_path / "cgroup").write_text("0::/x", encoding="utf-8")
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    with DeviceApi() as api, (tmp_path / "out.txt").open("w") as out:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PYTHONPATH": os.pathsep.join([str(tmp_path / "hidden"), PACKAGE, str(ROOT)]),
            "SPACES_ZERO_GPU": "true",
            "SPACES_ZERO_DEVICE_API_URL": api.address,
            "ZEROGPU_PROC_SELF_CGROUP_PATH": str(tmp_path / "cgroup"),
        }
        command = [sys.executable, str(tmp_path / "program.py")]
        done = subprocess.run(command, env=environment, cwd=tmp_path, stdout=out, stderr=out, timeout=200, check=False)
        for call in api.calls("allow"):  # forked processes outlive their parent
            with suppress(ProcessLookupError):
                os.kill(int(call["pid"]), signal.SIGKILL)
    said = (tmp_path / "out.txt").read_text(encoding="utf-8")
    assert done.returncode == 0, said
    assert said.count("Xin chào các bạn\n") == 3
    assert {call["token"] for call in api.calls("schedule")} == {"a.e30.b"}
    assert len(api.calls("schedule")) == len(api.calls("release")) == 4
    assert api.calls("startup-report") == [{}]
