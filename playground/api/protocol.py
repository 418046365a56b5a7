"""What may be asked: OpenAI's fields with their types, and what is refused by name because nothing here does it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

MOST_CHOICES = 8
MOST_TURNS = 2000
MOST_INPUTS = 32

Stop = Annotated[list[Annotated[str, Field(min_length=1, max_length=500)]], Field(max_length=16)]
Seed = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Share = Annotated[float, Field(ge=0, le=1)]
Penalty = Annotated[float, Field(ge=-2, le=2)]
Tokens = Annotated[int, Field(ge=1, le=1_000_000)]

# Taken and ignored, as they change nothing about an answer.
HARMLESS = ("user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key")


class Strict(BaseModel):
    """No conversions: a number is a number; an unknown field is refused by name."""

    model_config = ConfigDict(extra="forbid", strict=True)


class ContentPart(BaseModel):
    """A part of a message; only text is taken."""

    model_config = ConfigDict(extra="allow", strict=True)

    type: str = Field(max_length=40)
    text: str | None = None


class Turn(Strict):
    """One message. Whatever an assistant message of an earlier answer carries besides its text may be sent back."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | Annotated[list[ContentPart], Field(max_length=100)] | None = None
    name: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    annotations: list[Any] | None = None
    audio: Any = None
    function_call: Any = None
    tool_calls: Any = None
    tool_call_id: str | None = None


class StreamOptions(Strict):
    """`include_usage`: a last chunk with the tokens of the whole request."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class Sampling(Strict):
    """What both kinds of completion share. `top_k`, `min_p` and `repetition_penalty` are extensions."""

    model: str = Field(min_length=1, max_length=200)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=5)] | None = None
    top_p: Share | None = None
    top_k: Annotated[int, Field(ge=-1, le=1_000_000)] | None = None
    min_p: Share | None = None
    repetition_penalty: Annotated[float, Field(ge=0.1, le=10)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    max_tokens: Tokens | None = None
    stop: Annotated[str, Field(min_length=1, max_length=500)] | Stop | None = None
    seed: Seed | None = None
    n: Annotated[int, Field(ge=1, le=MOST_CHOICES)] | None = None
    logit_bias: Any = None
    user: str | None = None
    metadata: dict[str, Any] | None = None
    store: bool | None = None
    service_tier: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None


class JsonSchema(Strict):
    """A schema, named as OpenAI wants it. Answers keep to it whether `strict` is true or not."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    description: str | None = None
    content: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None


class ResponseFormat(Strict):
    """The form of an answer: `text` is free, `json_object` some JSON object, `json_schema` what its schema allows.

    With `json_object` some clients send a schema beside it: Hugging Face's as `value`, llama.cpp's as `schema`.
    """

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None
    value: dict[str, Any] | None = None
    content: dict[str, Any] | None = Field(default=None, alias="schema")


class ChatBody(Sampling):
    """POST /v1/chat/completions."""

    messages: Annotated[list[Turn], Field(min_length=1, max_length=MOST_TURNS)]
    max_completion_tokens: Tokens | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    response_format: ResponseFormat | None = None
    modalities: list[str] | None = None
    tools: Any = None
    tool_choice: Any = None
    parallel_tool_calls: bool | None = None
    functions: Any = None
    function_call: Any = None
    audio: Any = None
    prediction: Any = None
    web_search_options: Any = None
    reasoning_effort: Any = None
    verbosity: Any = None


class TextBody(Sampling):
    """POST /v1/completions: `prompt` is asked as one message, through the model's chat template."""

    prompt: str | Annotated[list[Any], Field(max_length=MOST_INPUTS)]
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    echo: bool | None = None
    suffix: str | None = None
    best_of: int | None = None


class ModerationBody(Strict):
    """POST /v1/moderations."""

    input: str | Annotated[list[str | ContentPart], Field(min_length=1, max_length=MOST_INPUTS)]
    model: str | None = Field(default=None, max_length=200)
    user: str | None = None


_TOOLS = "Tools are not supported here. Leave out {name} and say in the message what you need."
REFUSED: dict[str, tuple[str, tuple[Any, ...]]] = {
    "tools": (_TOOLS, ([],)),
    "tool_choice": (_TOOLS, ("none", "auto")),
    "functions": (_TOOLS, ([],)),
    "function_call": (_TOOLS, ("none", "auto")),
    "audio": ("Audio is not supported here. Leave out {name}; answers are text.", ()),
    "modalities": ("Answers are text. Leave out {name}.", (["text"],)),
    "prediction": ("Predicted outputs are not supported here. Leave out {name}.", ()),
    "web_search_options": ("Models here search nothing. Leave out {name}.", ()),
    "reasoning_effort": ("How long a model thinks cannot be set here. Leave out {name}.", ()),
    "verbosity": ("How wordy an answer is cannot be set here. Leave out {name} and say it in the message.", ()),
    "logit_bias": ("Single tokens cannot be weighted here. Leave out {name}.", ({},)),
    "echo": ("The prompt is not repeated here. Leave out {name}.", (False,)),
    "suffix": ("Text cannot be filled in before an end here. Leave out {name}.", ("",)),
    "best_of": ("Only n answers are written. Leave out {name}.", (1,)),
}
"""Fields that ask for what nothing here does: the sentence, and the values that ask for nothing."""
