"""The ZeroGPU flavour's folder under a stand-in for the package: fork, pickle, stream, stop, whose quota is used."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from spaces.flavours import FLAVOURS
from spaces.folder import Content, build_folder
from tests.architectures import save_checkpoint
from tests.catalogue import write_models
from tests.e2e.visitor import Visitor, wait_until
from tests.spaces.conftest import ROOT
from tests.spaces.device_api import DeviceApi
from tests.spaces.running import Running, running

pytestmark = pytest.mark.extended  # a torch server of its own, for most of a minute

PACKAGE = Path(__file__).with_name("zero_stand_in")
"""The folder that `import spaces` finds first."""


@dataclass(frozen=True, slots=True)
class Zero:
    """The running Space and the device API it asks."""

    space: Running
    api: DeviceApi

    def visitor(self, token: str) -> Visitor:
        """Somebody whom the Hub's proxy knows by this token."""
        owner = token.encode().hex().ljust(32, "0")  # the page's own cookie asks for https
        visitor = Visitor(self.space.address, cookies={"playground_owner": owner})
        visitor.http.headers["X-IP-Token"] = token
        return visitor


def variables(tmp: Path, api: DeviceApi) -> dict[str, str]:
    """What ZeroGPU sets, and a tiny checkpoint that computes on the CPU: there is no card here."""
    rows = {
        "tiny": {"engine": "torch", "path": str(save_checkpoint("llama3", tmp / "tiny")), "parameters": 10**6},
        "other": {"engine": "torch", "path": str(save_checkpoint("qwen3", tmp / "other")), "parameters": 10**6},
    }
    return {
        "PYTHONPATH": str(PACKAGE),
        "SPACES_ZERO_GPU": "true",
        "SPACES_ZERO_DEVICE_API_URL": api.address,
        "PLAYGROUND_DEVICE": "cpu",
        "PLAYGROUND_ENGINE_THREADS": "1",
        "PLAYGROUND_KV_CACHE_MB": "64",
        "PLAYGROUND_DEFAULT_MODEL": "tiny",
        "PLAYGROUND_FETCH_AT_START": "",
        "PLAYGROUND_POLICY": "off",
        "PLAYGROUND_MODELS_FILE": str(write_models(tmp / "models.toml", rows)),
    }


@pytest.fixture(scope="module")
def zero(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zero]:
    tmp = tmp_path_factory.mktemp("zero")
    folder = build_folder(FLAVOURS["zerogpu"], Content(title="Playground", models=("pip",)), tmp / "space").folder
    with DeviceApi() as api, running(folder, tmp / "home", variables(tmp, api)) as space:
        yield Zero(space, api)
    log = space.log.read_text(encoding="utf-8")
    assert "Traceback" not in log


def test_it_tells_that_it_has_started_before_it_answers(zero: Zero) -> None:
    assert zero.api.asked[0][0] == "startup-report"


def test_answers_stream_from_a_forked_process_which_is_used_again(zero: Zero) -> None:
    with zero.visitor("anna") as visitor:
        first = visitor.talk("Hello there")
        allowed = len(zero.api.calls("allow"))
        assert first[0] == "Hello there"
        assert len(first[1]) > 0
        visitor.talk("And again")
        assert len(zero.api.calls("allow")) == allowed  # no further process
        visitor.start_anew()
        visitor.use("other")
        assert len(visitor.talk("Another model")[1]) > 0  # loaded there: it was not ready before the start
    asked = zero.api.calls("schedule")
    assert all(10 <= int(call["durationSeconds"]) <= 120 for call in asked)
    wait_until(lambda: zero.api.given_back, "giving the card back")


def test_each_person_s_own_quota_is_used_and_spent_ones_are_told(zero: Zero) -> None:
    before = len(zero.api.calls("schedule"))
    zero.api.spent.add("cung")
    with zero.visitor("ben") as ben, zero.visitor("cung") as cung:
        ben.talk("Hello")
        cung.talk("Hello")
        told = str(cung.rows[-1])
        assert "Your time on the graphics card is used up for today" in told
        assert "Traceback" not in told
    assert [call["token"] for call in zero.api.calls("schedule")[before:]] == ["ben", "cung"]


def test_stopping_gives_the_card_back(zero: Zero) -> None:
    with zero.visitor("dung") as visitor:
        visitor.ask("Write a lot")
        visitor.fire("composer", "stop", data={})
        visitor.read_to_the_end()
    wait_until(lambda: zero.api.given_back, "giving the card back")


def test_the_server_s_process_has_the_card_never(zero: Zero) -> None:
    children = zero.space.process.children(recursive=True)
    pids = {int(call["pid"]) for call in zero.api.calls("allow")}
    assert pids <= {child.pid for child in children} | {pid for pid in pids if not psutil.pid_exists(pid)}
    assert zero.space.process.pid not in pids


def test_the_decorated_function_is_a_plain_generator_of_the_module() -> None:
    """Async functions and generators fail on ZeroGPU only; and everywhere else the decorator does nothing."""
    code = (
        "import importlib.util, inspect, sys\n"
        f"spec = importlib.util.spec_from_file_location('entry', {str(ROOT / 'spaces/zerogpu/app.py')!r})\n"
        "entry = importlib.util.module_from_spec(spec); spec.loader.exec_module(entry)\n"
        "assert inspect.isgeneratorfunction(entry.generate) and entry.generate.__qualname__ == 'generate'\n"
        "assert not {'torch', 'gradio', 'transformers'} & set(sys.modules)\n"
    )
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{PACKAGE}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
