"""What the tools may be called with: for Gradio's clients and for MCP."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

MOST_MODELS = 4


class Call(BaseModel):
    """No conversions, as in the bodies of `/v1`."""

    model_config = ConfigDict(extra="forbid", strict=True)


class PastTurn(Call):
    """An earlier message of the conversation."""

    role: Literal["user", "assistant"]
    content: str


Prompt = Annotated[str | None, Field(description="What the model is told before the conversation.")]
Heat = Annotated[float | None, Field(ge=0, le=5, description="0 is the most probable answer; none: the model's own.")]
Length = Annotated[int | None, Field(ge=1, le=1_000_000, description="The longest answer, in tokens.")]


class ChatCall(Call):
    """What to answer, and how."""

    message: str = Field(description="What to answer.")
    model: str | None = Field(None, description="A model's id, as /v1/models lists them; none: the default model.")
    system_prompt: Prompt = None
    history: list[PastTurn] | None = Field(None, max_length=2000, description="The conversation so far, oldest first.")
    temperature: Heat = None
    max_tokens: Length = None


class CompareCall(Call):
    """What several models are to answer."""

    message: str = Field(description="What each model answers.")
    models: list[str] = Field(min_length=2, max_length=MOST_MODELS, description="Ids of two to four models.")
    system_prompt: Prompt = None
    temperature: Heat = None
    max_tokens: Length = None


class ModerateCall(Call):
    """What to check."""

    text: str = Field(description="A text, as a person might type it.")
