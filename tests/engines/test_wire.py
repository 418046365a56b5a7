"""What goes over the wire arrives as it was, and nonsense is the end of the conversation."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from playground import errors
from playground.domain import FinishReason, Loading, Queued, SamplingParams, Stage, Timings, Usage
from playground.engines import wire
from playground.engines.contract import Candidate, Delta, Look, Prompt, TokenLogprob, Turn
from playground.engines.wire import Frame, Wire
from tests.engines.conftest import make_spec


def through(frame: Frame) -> Frame:
    """Send and receive."""
    buffer = io.BytesIO()
    Wire(io.BytesIO(), buffer).send(frame)
    received = Wire(io.BytesIO(buffer.getvalue()), io.BytesIO()).receive()
    assert received is not None
    return received


@pytest.mark.parametrize(
    "delta",
    [
        Delta("xin chào 🙂\n\x00\ud800"),
        Delta("a", (TokenLogprob(3, "a", -0.5, ((3, "a", -0.5), (4, "b", -1.25))),)),
        Delta("", (), FinishReason.LENGTH, Usage(3, 4, 2), Timings(0.1, 0.2, 0.3), token_ids=(7, 0, 9)),
        Delta("z", (TokenLogprob(1, "z", -1.0),), FinishReason.STOP, Usage(), Timings()),
    ],
)
def test_deltas(delta: Delta) -> None:
    assert wire.unpack_delta(through(wire.pack_delta(delta))) == delta


def test_everything_else() -> None:
    params = SamplingParams(temperature=0.5, stop=("a", "b"), seed=2**62, logprobs=3)
    assert wire.unpack_params(through([wire.pack_params(params)])[0]) == params
    prompt = Prompt((Turn("user", "hỏi"), Turn("assistant", "")), (1, 2, 3), 2)
    assert wire.unpack_prompt(through(wire.pack_prompt(prompt))) == prompt
    candidate = Candidate(7, -1.5, 0.25)
    for look in (Look(None, candidate, (), 1.25, 1), Look(candidate, candidate, (candidate, candidate), 0.0, 9)):
        assert wire.unpack_look(through(wire.pack_look(look))) == look
    for news in (Queued(3), Loading(Stage.LOADING), Loading(Stage.PREFILLING, 0.5, "x")):
        assert wire.unpack_progress(through(wire.pack_progress(news))) == news
    spec = make_spec("onnx", Path("relative"))
    assert wire.unpack_spec(through([wire.pack_spec(spec)])[0]).path == Path("relative").absolute()
    assert wire.unpack_spec(wire.pack_spec(make_spec("echo"))).path is None


def test_errors_keep_their_class() -> None:
    for kind in (errors.OutOfMemory, errors.ContextTooLong, errors.EngineError):
        again = wire.unpack_error(through(wire.pack_error(kind("A sentence."))))
        assert type(again) is kind
        assert str(again) == "A sentence."
    assert type(wire.unpack_error(["unheard_of", "A sentence."])) is errors.EngineError


@pytest.mark.parametrize(
    "data", [b"", b"\x01", b"\x05\x00\x00\x00[1", b"\x02\x00\x00\x00{}", b"\xff\xff\xff\xff[]", b"\x01\x00\x00\x00x"]
)
def test_nonsense_ends_the_conversation(data: bytes) -> None:
    assert Wire(io.BytesIO(data), io.BytesIO()).receive() is None


def test_hanging_up_is_heard() -> None:
    ours, theirs = os.pipe()
    reader, writer = os.fdopen(ours, "rb"), os.fdopen(theirs, "wb")
    listening, speaking = Wire(reader, io.BytesIO()), Wire(io.BytesIO(), writer)
    speaking.send(["hello", 1])
    speaking.hang_up()
    speaking.hang_up()
    assert listening.receive() == ["hello", 1]
    assert listening.receive() is None
    with pytest.raises(ValueError, match="closed"):
        speaking.send(["again"])
