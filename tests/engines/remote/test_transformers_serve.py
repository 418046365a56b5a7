"""The remote engine against `transformers serve`: two real processes on a tiny checkpoint made on the spot."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import huggingface_hub
import pytest

from playground.domain import FinishReason, SamplingParams
from playground.engines.contract import Engine, Replicated
from playground.errors import ServerRefused
from tests.engines.remote.conftest import PROMPT, Crowd, ask, until
from tests.engines.remote.server_process import ServerProcess

Connect = Callable[..., Engine]


def _command(folder: Path, port: int) -> list[str]:
    serve = ["-m", "transformers.cli.transformers", "serve", str(folder), "--device", "cpu"]
    return [sys.executable, *serve, "--host", "127.0.0.1", "--port", str(port)]


@pytest.fixture(scope="module")
def pair(hf_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[ServerProcess]]:
    """Two of them, started at the same time."""
    logs = tmp_path_factory.mktemp("serve")
    servers = [
        ServerProcess.start(partial(_command, hf_folder), str(hf_folder), logs / f"{number}.log") for number in range(2)
    ]
    try:
        for server in servers:
            server.wait()
        yield servers
    finally:
        for server in servers:
            server.end()


def test_the_answer_is_that_of_huggingface_s_own_client(
    pair: list[ServerProcess], connect: Connect, monkeypatch: pytest.MonkeyPatch
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


def test_a_seed_is_taken(pair: list[ServerProcess], connect: Connect) -> None:
    engine = connect(pair[0].row)
    assert ask(engine, seed=5, max_tokens=16).text == ask(engine, seed=5, max_tokens=16).text
    assert isinstance(engine, Replicated)
    assert engine.servers()[0].left_out == ()


def test_parameters_it_does_not_take_are_left_out_and_named(pair: list[ServerProcess], connect: Connect) -> None:
    engine = connect(pair[0].row)
    told = ask(engine, top_k=5, min_p=0.1, repetition_penalty=1.2, logprobs=2, max_tokens=4)
    assert told.text
    assert isinstance(engine, Replicated)
    assert engine.servers()[0].left_out == ("min_p", "repeat_penalty", "repetition_penalty", "top_k")


def test_a_stop_text_ends_the_answer(pair: list[ServerProcess], connect: Connect) -> None:
    engine = connect(pair[0].row)
    whole = ask(engine, temperature=0, max_tokens=16).text
    stop = whole[3:5]
    told = ask(engine, temperature=0, max_tokens=16, stop=(stop,))
    assert (told.text, told.last.finish_reason) == (whole[: whole.index(stop)], FinishReason.STOP)


def test_an_unknown_model_is_told(pair: list[ServerProcess], connect: Connect) -> None:
    with pytest.raises(ServerRefused, match="has no model named another"):
        ask(connect(pair[0].row | {"model": "another"}))


def test_stopping_ends_the_work_there(pair: list[ServerProcess], connect: Connect) -> None:
    engine = connect(pair[0].row)
    pieces = engine.generate(PROMPT, SamplingParams(max_tokens=400, temperature=1.5))
    assert next(piece.text for piece in pieces if piece.text)
    pieces.close()  # type: ignore[attr-defined]
    assert isinstance(engine, Replicated)
    until(lambda: engine.servers()[0].in_flight == 0)
    assert ask(engine, max_tokens=2).text


def test_one_of_two_killed_under_load(pair: list[ServerProcess], connect: Connect) -> None:
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
