"""Chat templates: Jinja programs that come with a model and turn messages into the text it was trained on.

They are code from strangers, so they run in a sandbox (see `template_sandbox`) and see nothing but strings. Rendering
equals `transformers.PreTrainedTokenizerBase.apply_chat_template`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.parser

from playground.engines.contract import Turn
from playground.engines.template_sandbox import BoundedEnvironment, bounded_filter, metered
from playground.errors import InvalidRequest, ModelLoadError


class _Generation(jinja2.ext.Extension):
    """`{% generation %}…{% endgeneration %}` marks the assistant's words for training; here it changes nothing."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: jinja2.parser.Parser) -> list[jinja2.nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class ChatTemplate:
    """A compiled chat template. Raises ModelLoadError when it is not a valid one."""

    def __init__(self, source: str, special_tokens: Mapping[str, str]) -> None:
        environment = BoundedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, jinja2.ext.loopcontrols]
        )
        environment.filters["tojson"] = bounded_filter("tojson", _to_json)
        environment.globals["raise_exception"] = _raise_exception
        environment.globals["strftime_now"] = _strftime_now
        try:
            with metered():
                self._template = environment.from_string(source)
        except (jinja2.TemplateError, RecursionError) as error:
            raise ModelLoadError(
                "The model's chat template is malformed. Download the model again, or choose another one."
            ) from error
        self._special_tokens = dict(special_tokens)

    def render(self, turns: Sequence[Turn]) -> str:
        """The prompt's text, ending where the answer begins.

        A template without a place for a system prompt gets it in front of the first user message. Raises
        InvalidRequest when the template refuses the messages.
        """
        try:
            return self._render(turns)
        except jinja2.TemplateError as error:
            merged = _merge_system(turns)
            if merged == list(turns):
                raise _refused() from error
        try:
            return self._render(merged)
        except jinja2.TemplateError as error:
            raise _refused() from error

    def _render(self, turns: Sequence[Turn]) -> str:
        messages = [{"role": str(turn.role), "content": turn.content} for turn in turns]
        try:
            with metered():
                return self._template.render(
                    messages=messages, tools=None, documents=None, add_generation_prompt=True, **self._special_tokens
                )
        except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError) as error:
            raise jinja2.TemplateRuntimeError(type(error).__name__) from error


def _refused() -> InvalidRequest:
    return InvalidRequest(
        "This model's chat template does not accept the conversation as it is. "
        "Remove the system prompt or start a new conversation."
    )


def _merge_system(turns: Sequence[Turn]) -> list[Turn]:
    system = [turn.content for turn in turns if turn.role == "system" and turn.content]
    others = [turn for turn in turns if turn.role != "system"]
    if system and others and others[0].role == "user":
        others[0] = Turn("user", "\n\n".join([*system, others[0].content]))
    return others


def _raise_exception(message: object) -> None:
    raise jinja2.TemplateError(str(message))


def _strftime_now(form: str) -> str:
    return datetime.now().astimezone().strftime(form)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
