"""From a checked body to the conversation and the parameters that the chat room takes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from playground.api.errors import refuse
from playground.api.protocol import REFUSED, ChatBody, ContentPart, ResponseFormat, Sampling, TextBody, Turn
from playground.catalog.spec import ModelSpec
from playground.domain import Message, Role, SamplingParams
from playground.errors import InvalidRequest

_ROLES: dict[str, Role] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_TEXT = frozenset({"text", "input_text", "output_text"})
_TAKEN = ("temperature", "top_p", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty")


def refuse_unsupported(body: Sampling) -> None:
    """Raises Refused for the first field that asks for what nothing here does, or for nothing without another one."""
    if body.stream_options is not None and not body.stream:
        raise refuse("stream_options needs stream to be true.", "stream_options", "invalid_value")
    for name, (sentence, idle) in REFUSED.items():
        value = getattr(body, name, None)
        if value is not None and value not in idle:
            raise refuse(sentence.format(name=name), name)


def read_turns(turns: Sequence[Turn]) -> tuple[Message, ...]:
    """The conversation. Raises Refused for tools, and for anything that is not text."""
    return tuple(_message(place, turn) for place, turn in enumerate(turns))


def read_prompt(body: TextBody) -> tuple[Message, ...]:
    """The prompt of a completion as a conversation of one message."""
    prompt = body.prompt
    if isinstance(prompt, list):
        if len(prompt) != 1 or not isinstance(prompt[0], str):
            raise refuse("prompt must be one text; several, or token ids, are not supported here.", "prompt")
        prompt = prompt[0]
    return (Message("user", prompt),)


def chat_params(body: ChatBody, spec: ModelSpec) -> SamplingParams:
    """The model's own parameters with those of the request. Raises Refused or InvalidRequest, naming the field."""
    if body.max_tokens and body.max_completion_tokens and body.max_tokens != body.max_completion_tokens:
        raise refuse("max_tokens and max_completion_tokens differ. Send one of them.", "max_tokens", "invalid_value")
    if body.top_logprobs is not None and not body.logprobs:
        raise refuse("top_logprobs needs logprobs to be true.", "top_logprobs", "invalid_value")
    changes: dict[str, Any] = {"logprobs": (body.top_logprobs or 0) if body.logprobs else None}
    changes["schema"] = read_schema(body.response_format)
    if body.max_completion_tokens is not None:
        changes["max_tokens"] = body.max_completion_tokens
    return _params(body, spec, changes)


def read_schema(form: ResponseFormat | None) -> str | None:
    """The schema that answers are to keep to, as JSON text; None when they are free. Raises Refused."""
    if form is None or form.type == "text":
        return None
    if form.type == "json_object":
        content = form.value or form.content or {"type": "object"}
    elif form.json_schema is not None:
        content = form.json_schema.content
    else:
        raise refuse("json_schema is missing.", "response_format.json_schema", "missing_required_parameter")
    return json.dumps(content, ensure_ascii=False)


def text_params(body: TextBody, spec: ModelSpec) -> SamplingParams:
    """As `chat_params`, for a completion."""
    return _params(body, spec, {"logprobs": body.logprobs})


def _params(body: Sampling, spec: ModelSpec, changes: dict[str, Any]) -> SamplingParams:
    changes |= {name: value for name in _TAKEN if (value := getattr(body, name)) is not None}
    if body.max_tokens is not None:
        changes.setdefault("max_tokens", body.max_tokens)
    if body.top_k is not None:
        changes["top_k"] = max(0, body.top_k)  # -1 is how vLLM's clients switch it off
    if body.seed is not None:
        changes["seed"] = body.seed % 2**63
    if body.stop is not None:
        changes["stop"] = (body.stop,) if isinstance(body.stop, str) else tuple(body.stop)
    try:
        return replace(spec.defaults, **changes)
    except ValueError as error:  # its sentence names the parameter, its value (a number) and the range
        raise InvalidRequest(str(error)) from error


def _message(place: int, turn: Turn) -> Message:
    param = f"messages.{place}"
    if turn.role not in _ROLES or turn.tool_calls or turn.function_call or turn.tool_call_id:
        raise refuse("Tools are not supported here: messages are the system's, the user's or the assistant's.", param)
    if turn.audio:
        raise refuse("Audio is not supported here. Send text.", param)
    return Message(_ROLES[turn.role], read_content(turn.content, param))


def read_content(content: str | Sequence[str | ContentPart] | None, param: str) -> str:
    """The text of a content, its parts on lines of their own. Raises Refused for anything but text."""
    if content is None or isinstance(content, str):
        return content or ""
    texts = []
    for part in content:
        if isinstance(part, str):
            texts.append(part)
        elif part.type in _TEXT and part.text is not None:
            texts.append(part.text)
        else:
            raise refuse("Only text is supported here: images, audio and files cannot be read.", param)
    return "\n".join(texts)
