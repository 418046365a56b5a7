"""The remote engine against llama-cpp-python's server, on a tiny GGUF made on the spot: `make test-extended`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from playground.domain import FinishReason, SamplingParams
from playground.engines.contract import Engine, Prompt, Replicated, Turn
from playground.errors import ServerFailed
from tests.engines.remote.conftest import PROMPT, ask, connect, until
from tests.engines.remote.server_process import ServerProcess

Connect = Callable[..., Engine]
__all__ = ["connect"]  # the fixture
PYTHON = os.environ.get("LLAMA_PYTHON", "")


def _command(file: Path, port: int) -> list[str]:
    options = ["--model", str(file), "--model_alias", "tiny", "--n_ctx", "512", "--logits_all", "true"]
    return [PYTHON, "-m", "llama_cpp.server", *options, "--n_threads", "1", "--host", "127.0.0.1", "--port", str(port)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The server, with its model."""
    assert PYTHON, "run this by `make test-extended`, which makes the environment with llama-cpp-python"
    folder = tmp_path_factory.mktemp("gguf")
    script = Path(__file__).with_name("tiny_gguf.py")
    subprocess.run([PYTHON, str(script), str(folder / "tiny.gguf")], check=True, timeout=100)
    started = ServerProcess.start(partial(_command, folder / "tiny.gguf"), "tiny", folder / "log")
    try:
        started.wait()
        yield started
    finally:
        started.end()


def test_an_answer_with_its_length(server: ServerProcess, connect: Connect) -> None:
    told = ask(connect(server.row), temperature=0, max_tokens=12, top_p=1.0)
    assert told.text
    assert told.last.finish_reason is FinishReason.LENGTH
    assert told.text == ask(connect(server.row), temperature=0, max_tokens=12, top_p=1.0).text


def test_every_parameter_is_taken(server: ServerProcess, connect: Connect) -> None:
    engine = connect(server.row)
    params = {"top_k": 5, "min_p": 0.05, "repetition_penalty": 1.1, "seed": 3, "temperature": 1.0, "max_tokens": 8}
    assert ask(engine, **params).text == ask(engine, **params).text
    assert isinstance(engine, Replicated)
    assert engine.servers()[0].left_out == ()


def test_log_probabilities(server: ServerProcess, connect: Connect) -> None:
    told = ask(connect(server.row), temperature=0, max_tokens=4, logprobs=3)
    found = [item for piece in told.pieces for item in piece.logprobs]
    assert found
    assert all(item.logprob <= 0 and len(item.top) == 3 for item in found)


def test_a_stop_text(server: ServerProcess, connect: Connect) -> None:
    engine = connect(server.row)
    whole = ask(engine, temperature=0, max_tokens=16).text
    told = ask(engine, temperature=0, max_tokens=16, stop=(whole[2:4],))
    assert (told.text, told.last.finish_reason) == (whole[: whole.index(whole[2:4])], FinishReason.STOP)


def test_a_conversation_that_is_too_long_ends_in_words(
    server: ServerProcess,
    connect: Connect,
) -> None:
    # This server has sent its head by the time it notices, and then says nothing: there are no numbers to tell.
    with pytest.raises(ServerFailed, match="ended the connection before the answer was complete"):
        ask(connect(server.row, rounds=1), Prompt((Turn("user", "x" * 2_000),)))


def test_stopping_frees_the_server(server: ServerProcess, connect: Connect) -> None:
    engine = connect(server.row)
    pieces = engine.generate(PROMPT, SamplingParams(max_tokens=400, temperature=1.5))
    assert next(piece.text for piece in pieces if piece.text)
    pieces.close()  # type: ignore[attr-defined]
    assert isinstance(engine, Replicated)
    until(lambda: engine.servers()[0].in_flight == 0)
    assert ask(engine, max_tokens=2).pieces
