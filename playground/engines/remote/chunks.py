"""One `chat.completion.chunk` of a stream, checked field by field: servers differ, and none is trusted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from playground.domain import FinishReason, Usage
from playground.engines.contract import TokenLogprob
from playground.engines.remote.faults import Malformed
from playground.engines.remote.whole_text import mended

UNKNOWN_ID = -1
_MOST_TOKENS = 10**9
_MOST_ALTERNATIVES = 64
_MOST_BYTES = 4096
_LARGEST = 1e300
# What servers call the end of an answer: OpenAI's words, then those of TGI, Mistral, Anthropic's gateways and vLLM.
_REASONS = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "content_filter": FinishReason.CONTENT_FILTER,
    "tool_calls": FinishReason.STOP,
    "function_call": FinishReason.STOP,
    "eos": FinishReason.STOP,
    "eos_token": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "end_turn": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "model_length": FinishReason.LENGTH,
    "safety": FinishReason.CONTENT_FILTER,
    "refusal": FinishReason.CONTENT_FILTER,
    "abort": FinishReason.INTERRUPTED,
    "error": FinishReason.ERROR,
}


class ErrorInStream(Exception):
    """The server put an error where a piece was due; `details` is its object."""

    def __init__(self, details: Mapping[str, Any]) -> None:
        super().__init__("the stream carries an error")
        self.details = details


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one event brought. Texts are joined verbatim; `finish_reason` and `usage` may come in different chunks."""

    text: str = ""
    reasoning: str = ""
    logprobs: tuple[TokenLogprob, ...] = ()
    finish_reason: FinishReason | None = None
    usage: Usage | None = None


def read_chunk(data: str) -> Chunk:
    """A chunk from an event's data; whole answers (`message` instead of `delta`) are read as well.

    Only the first choice counts. Raises Malformed for anything of another form, ErrorInStream for an error object.
    """
    content = _object(read_json(data), "an event")
    if content.get("error") is not None:
        error = content["error"]
        raise ErrorInStream(error if isinstance(error, Mapping) else {"message": error})
    usage = _usage(content.get("usage"))
    choices = content.get("choices") or []
    if not isinstance(choices, list):
        raise Malformed("choices is no list")
    choice = next((item for item in (_object(one, "a choice") for one in choices) if not item.get("index")), None)
    if choice is None:
        return Chunk(usage=usage)
    delta = _object(choice.get("delta") or choice.get("message") or {}, "a delta")
    return Chunk(
        text=_text(delta.get("content")),
        # vLLM, SGLang, llama.cpp and `transformers serve` say reasoning_content; newer vLLM and OpenRouter reasoning
        reasoning=_text(delta.get("reasoning_content") or delta.get("reasoning")),
        logprobs=_logprobs(choice.get("logprobs")),
        finish_reason=_reason(choice.get("finish_reason")),
        usage=usage,
    )


def read_json(data: str | bytes) -> object:
    """JSON, or Malformed."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise Malformed("an event is not JSON") from None


def _object(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Malformed(f"{what} is no object")
    return value


def _text(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Malformed("a piece of text is no text")
    return value


def _reason(value: object) -> FinishReason | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise Malformed("finish_reason is no text")
    return _REASONS.get(value.lower(), FinishReason.STOP)


def _usage(value: object) -> Usage | None:
    if value is None:
        return None
    table = _object(value, "usage")
    cached = table.get("prompt_tokens_details")
    return Usage(
        prompt_tokens=_count(table.get("prompt_tokens")),
        completion_tokens=_count(table.get("completion_tokens")),
        cached_tokens=_count(cached.get("cached_tokens")) if isinstance(cached, Mapping) else 0,
    )


def _count(value: object) -> int:
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST_TOKENS:
        raise Malformed("a count of tokens is no number")
    return value


def _logprobs(value: object) -> tuple[TokenLogprob, ...]:
    """The tokens of a chunk. Malformed ones are none: an answer is not lost for what only tells about it."""
    content = value.get("content") if isinstance(value, Mapping) else None
    if not isinstance(content, list):
        return ()
    try:
        return tuple(_logprob(_object(item, "a log-probability")) for item in content)
    except Malformed:
        return ()


def _logprob(item: Mapping[str, Any]) -> TokenLogprob:
    top = item.get("top_logprobs") or []
    if not isinstance(top, list):
        raise Malformed("top_logprobs is no list")
    others = [_object(other, "an alternative") for other in top[:_MOST_ALTERNATIVES]]
    text, data = _spelling(item)
    alternatives = tuple((UNKNOWN_ID, _spelling(other)[0], _number(other.get("logprob"))) for other in others)
    return TokenLogprob(UNKNOWN_ID, text, _number(item.get("logprob")), alternatives, data)


def _spelling(item: Mapping[str, Any]) -> tuple[str, bytes]:
    """A token's text and its own bytes. Where the server tells bytes they count: of a part of a character there is no
    text, and servers put different things there.
    """
    data = _bytes(item.get("bytes"))
    return (data.decode("utf-8", "replace") if data else mended(_text(item.get("token")))), data


def _bytes(value: object) -> bytes:
    if not isinstance(value, list) or len(value) > _MOST_BYTES:
        return b""
    if not all(type(byte) is int and 0 <= byte < 256 for byte in value):
        raise Malformed("a byte is no byte")
    return bytes(value)


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not -_LARGEST < value < _LARGEST:
        raise Malformed("a log-probability is no number")
    return float(value)
