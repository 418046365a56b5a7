"""The echo engine: the user's words again, whole and in pieces."""

from __future__ import annotations

import pytest

from playground.domain import FinishReason, SamplingParams
from playground.engines.contract import Prompt, Turn
from playground.engines.echo_engine import EchoEngine
from playground.errors import EngineError

PROMPT = Prompt((Turn("system", "s"), Turn("user", "one"), Turn("assistant", "one"), Turn("user", "Xin chào bạn")))


@pytest.mark.parametrize("piece_chars", [1, 2, 3, 4, 5])
def test_pieces_join_to_the_last_user_message(piece_chars: int) -> None:
    deltas = list(EchoEngine(piece_chars=piece_chars).generate(PROMPT, SamplingParams()))
    assert "".join(delta.text for delta in deltas) == "Xin chào bạn"
    assert all(len(delta.text) <= piece_chars for delta in deltas)
    assert [delta.finish_reason for delta in deltas[:-1]] == [None] * (len(deltas) - 1)
    assert deltas[-1].finish_reason is FinishReason.STOP
    assert deltas[-1].usage is not None
    assert deltas[-1].usage.completion_tokens == len(deltas) - 1


def test_stop_and_max_tokens() -> None:
    engine = EchoEngine(piece_chars=2)
    stopped = list(engine.generate(PROMPT, SamplingParams(stop=("zzz", "chào"))))
    assert "".join(delta.text for delta in stopped) == "Xin "
    cut = list(engine.generate(PROMPT, SamplingParams(max_tokens=2)))
    assert "".join(delta.text for delta in cut) == "Xin "
    assert cut[-1].finish_reason is FinishReason.LENGTH


def test_backwards() -> None:
    deltas = EchoEngine(backwards=True).generate(PROMPT, SamplingParams())
    assert "".join(delta.text for delta in deltas) == "Xin chào bạn"[::-1]


def test_no_user_message_is_an_empty_answer() -> None:
    deltas = list(EchoEngine().generate(Prompt(()), SamplingParams()))
    assert [delta.text for delta in deltas] == [""]


def test_what_it_refuses() -> None:
    engine = EchoEngine()
    with pytest.raises(EngineError, match="Choose a language model"):
        engine.score([1, 2])
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.generate(PROMPT, SamplingParams())
    with pytest.raises(ValueError, match="piece_chars is 0"):
        EchoEngine(piece_chars=0)
