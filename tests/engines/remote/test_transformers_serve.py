"""The remote engine against `transformers serve`: two real processes on a tiny checkpoint made on the spot."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from playground.domain import FinishReason, SamplingParams
from playground.engines.contract import Engine, Replicated
from playground.errors import ServerRefused
from tests.engines.remote.conftest import PROMPT, Crowd, ask, until

Connect = Callable[..., Engine]
START_SECONDS = 150


@dataclass
class Served:
    """A running `transformers serve`."""

    process: subprocess.Popen[bytes]
    port: int
    model: str
    log: Path

    @property
    def row(self) -> dict[str, Any]:
        return {"url": f"http://127.0.0.1:{self.port}/v1", "model": self.model}

    def wait(self) -> None:
        until_time = time.monotonic() + START_SECONDS
        while time.monotonic() < until_time:
            assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError(self.log.read_text(encoding="utf-8"))


def _start(folder: Path, log: Path) -> Served:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    command = ["-m", "transformers.cli.transformers", "serve", str(folder), "--device", "cpu"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *command, "--host", "127.0.0.1", "--port", str(port)],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        )
    return Served(process, port, str(folder), log)


@pytest.fixture(scope="module")
def pair(hf_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Served]]:
    """Two of them, started at the same time."""
    logs = tmp_path_factory.mktemp("serve")
    servers = [_start(hf_folder, logs / f"{number}.log") for number in range(2)]
    try:
        for server in servers:
            server.wait()
        yield servers
    finally:
        for server in servers:
            server.process.kill()
            server.process.wait(timeout=30)


def test_the_answer_is_that_of_huggingface_s_own_client(
    pair: list[Served], connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)  # the server is on loopback
    server = pair[0]
    told = ask(connect(server.row), temperature=0, max_tokens=24, top_p=1.0)
    client = huggingface_hub.InferenceClient(base_url=server.row["url"], api_key="unused", timeout=60)
    messages = [{"role": turn.role, "content": turn.content} for turn in PROMPT.turns]
    theirs = client.chat_completion(messages, model=server.model, stream=True, temperature=0, max_tokens=24)
    assert told.text == "".join(chunk.choices[0].delta.content or "" for chunk in theirs)
    assert told.text
    assert told.usage is not None
    assert (told.last.finish_reason, told.usage.completion_tokens) == (FinishReason.LENGTH, 24)
    assert told.usage.prompt_tokens > 10
    client.close()


def test_a_seed_is_taken(pair: list[Served], connect: Connect) -> None:
    engine = connect(pair[0].row)
    assert ask(engine, seed=5, max_tokens=16).text == ask(engine, seed=5, max_tokens=16).text
    assert isinstance(engine, Replicated)
    assert engine.servers()[0].left_out == ()


def test_parameters_it_does_not_take_are_left_out_and_named(pair: list[Served], connect: Connect) -> None:
    engine = connect(pair[0].row)
    told = ask(engine, top_k=5, min_p=0.1, repetition_penalty=1.2, logprobs=2, max_tokens=4)
    assert told.text
    assert isinstance(engine, Replicated)
    assert engine.servers()[0].left_out == ("min_p", "repeat_penalty", "repetition_penalty", "top_k")


def test_a_stop_text_ends_the_answer(pair: list[Served], connect: Connect) -> None:
    engine = connect(pair[0].row)
    whole = ask(engine, temperature=0, max_tokens=16).text
    stop = whole[3:5]
    told = ask(engine, temperature=0, max_tokens=16, stop=(stop,))
    assert (told.text, told.last.finish_reason) == (whole[: whole.index(stop)], FinishReason.STOP)


def test_an_unknown_model_is_told(pair: list[Served], connect: Connect) -> None:
    with pytest.raises(ServerRefused, match="has no model named another"):
        ask(connect(pair[0].row | {"model": "another"}))


def test_stopping_ends_the_work_there(pair: list[Served], connect: Connect) -> None:
    engine = connect(pair[0].row)
    pieces = engine.generate(PROMPT, SamplingParams(max_tokens=400, temperature=1.5))
    assert next(piece.text for piece in pieces if piece.text)
    pieces.close()  # type: ignore[attr-defined]
    assert isinstance(engine, Replicated)
    until(lambda: engine.servers()[0].in_flight == 0)
    assert ask(engine, max_tokens=2).text


def test_one_of_two_killed_under_load(pair: list[Served], connect: Connect) -> None:
    engine = connect(*(server.row for server in pair))
    expected = ask(engine, temperature=0, max_tokens=40).text
    crowd = Crowd(engine, visitors=6, questions=3, temperature=0, max_tokens=40)
    crowd.wait_for_begun(3)
    os.kill(pair[1].process.pid, signal.SIGKILL)
    outcomes = crowd.outcomes()
    assert set(outcomes) <= {expected, "cut"}, outcomes
    assert sum(outcomes.values()) == 18
    assert outcomes["cut"] <= 6
    assert isinstance(engine, Replicated)
    assert [line.up for line in engine.servers()] == [True, False]
