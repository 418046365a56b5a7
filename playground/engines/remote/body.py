"""The body of a request: what every server takes, what many take, and what this one was seen to refuse."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from playground.domain import SamplingParams
from playground.engines.contract import Prompt

# Without these it is another request; whatever else a server names in a refusal can be left out.
_NEEDED = frozenset({"model", "messages", "stream", "response_format"})
_OLD_LIMIT, _NEW_LIMIT = "max_tokens", "max_completion_tokens"
_UNSUPPORTED = re.compile(
    r"n[o']t support|unsupported|unrecogni[sz]ed|unexpected|unknown|not permitted|not allowed|extra (?:inputs|fields)",
    re.IGNORECASE,
)
_WORD = re.compile(r"[a-z_]+")
_LOGPROBS = frozenset({"logprobs", "top_logprobs"})
_ABOUT_LOGPROBS = re.compile(r"log.?prob", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question on its way to a server. `name` is the model's, for people.

    A server that does not tell log-probabilities with up to `alternatives` alternatives is asked without them.
    """

    name: str
    prompt: Prompt
    params: SamplingParams
    alternatives: int = 0


def build_body(asked: Asked, model: str, left_out: Collection[str]) -> dict[str, Any]:
    """The JSON body for a server that calls the model `model` and refuses the parameters in `left_out`.

    Filters that are switched off are not sent at all. `top_k`, `min_p` and the repetition penalty are no part of
    OpenAI's API: vLLM, SGLang and llama.cpp take them as further keys of the body (llama.cpp calls the penalty
    `repeat_penalty`). The limit is called `max_tokens` unless the server wants `max_completion_tokens`.
    """
    params = asked.params
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": turn.role, "content": turn.content} for turn in asked.prompt.turns],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": params.temperature,
        _NEW_LIMIT if _OLD_LIMIT in left_out else _OLD_LIMIT: params.max_tokens,
    }
    wanted: dict[str, tuple[Any, bool]] = {
        "top_p": (params.top_p, params.top_p < 1),
        "top_k": (params.top_k, params.top_k > 0),
        "min_p": (params.min_p, params.min_p > 0),
        "repetition_penalty": (params.repetition_penalty, params.repetition_penalty != 1),
        "repeat_penalty": (params.repetition_penalty, params.repetition_penalty != 1),
        "presence_penalty": (params.presence_penalty, params.presence_penalty != 0),
        "frequency_penalty": (params.frequency_penalty, params.frequency_penalty != 0),
        "seed": (params.seed, params.seed is not None),
        "stop": (list(params.stop), bool(params.stop)),
        "logprobs": (True, params.logprobs is not None),
        "top_logprobs": (params.logprobs, bool(params.logprobs)),
        "response_format": (_form(params.schema), params.schema is not None),
    }
    body |= {name: value for name, (value, used) in wanted.items() if used}
    return {name: value for name, value in body.items() if name not in left_out}


def _form(schema: str | None) -> dict[str, Any]:
    """How OpenAI, vLLM, SGLang, llama.cpp and TGI are asked to hold an answer to a schema."""
    named = {"name": "answer", "strict": True, "schema": json.loads(schema or "{}")}
    return {"type": "json_schema", "json_schema": named}


def named_parameters(body: Mapping[str, Any], complaint: object) -> frozenset[str]:
    """Which of the optional parameters in `body` a server's error object names.

    Only what says which field is wrong is read (OpenAI's `param` and `message`, FastAPI's `detail` with its `loc`), and
    not an echo of the request beside it.
    """
    optional = set(body) - _NEEDED
    return frozenset(optional & {word for text in _statements(complaint) for word in _WORD.findall(text.lower())})


def refused_parameters(asked: Asked, body: Mapping[str, Any], complaint: object) -> frozenset[str]:
    """Which of the optional parameters in `body` the server does not take, whatever their value.

    Without log-probabilities there are no alternatives; and where few were wanted, any complaint about them counts:
    nobody has to do without an answer because it could not be looked into.
    """
    names = named_parameters(body, complaint) if is_about_support(complaint) else frozenset()
    few = asked.params.logprobs is not None and asked.params.logprobs <= asked.alternatives
    if few and not names and any(_ABOUT_LOGPROBS.search(text) for text in _statements(complaint)):
        names = named_parameters(body, complaint) & _LOGPROBS or _LOGPROBS & set(body)
    return names | _LOGPROBS & set(body) if "logprobs" in names else names


def is_about_support(complaint: object) -> bool:
    """Whether the server does not know a parameter at all, rather than disliking its value."""
    return any(_UNSUPPORTED.search(text) for text in _statements(complaint))


def _statements(complaint: object) -> Iterable[str]:
    if isinstance(complaint, str):
        yield complaint
    elif isinstance(complaint, list):
        for item in complaint:
            yield from _statements(item)
    elif isinstance(complaint, Mapping):
        for key in ("error", "detail", "param", "message", "msg", "loc"):
            yield from _statements(complaint.get(key))
