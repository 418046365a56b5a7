"""What clients are sent: whole answers and chunks of answers, as chat or as plain text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from playground.api.errors import Refused, problem_of_code, problem_of_verdict
from playground.api.receipts import moderation
from playground.domain import (
    Blocked,
    ChatEvent,
    Checking,
    Failed,
    Finished,
    FinishReason,
    Loading,
    Queued,
    ReasoningDelta,
    TextDelta,
    TokenScore,
    TokenScores,
    Usage,
)

# A stopped answer is told like one that ended: whoever stopped it knows.
_REASONS = {
    FinishReason.STOP: "stop",
    FinishReason.LENGTH: "length",
    FinishReason.CONTENT_FILTER: "content_filter",
    FinishReason.CANCELLED: "stop",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """Some more of a choice: released text or thinking, with the tokens of the text as far as they were asked for."""

    text: str = ""
    reasoning: str = ""
    tokens: tuple[TokenScore, ...] = ()


@dataclass(slots=True)
class Choice:
    """One answer as far as it was told. `take` gives what a stream says next."""

    number: int
    text: str = ""
    reasoning: str = ""
    tokens: list[TokenScore] = field(default_factory=list)
    end: Blocked | Finished | Failed | None = None
    _early: tuple[TokenScore, ...] = ()

    def take(self, event: ChatEvent) -> Piece | None:
        """The piece that an event is; None for one that is no text."""
        if isinstance(event, TokenScores):
            self._early += event.tokens
        elif isinstance(event, TextDelta):
            piece = Piece(text=event.text, tokens=self._early)
            self.text += event.text
            self.tokens += self._early
            self._early = ()
            return piece
        elif isinstance(event, ReasoningDelta):
            self.reasoning += event.text
            return Piece(reasoning=event.text)
        elif isinstance(event, Blocked | Finished | Failed):
            self.end = event
        return None

    @property
    def usage(self) -> Usage:
        """What it took, as far as that is known."""
        return self.end.usage if isinstance(self.end, Blocked | Finished) else Usage()

    def finish(self) -> tuple[str, dict[str, Any]]:
        """OpenAI's finish reason, and the extension fields.

        Raises Refused for an answer that failed, and for a check of it that could not run.
        """
        if isinstance(self.end, Failed):
            raise Refused(problem_of_code(self.end.code, self.end.message))
        if isinstance(self.end, Blocked):
            if self.end.verdict.unavailable:
                raise Refused(problem_of_verdict(self.end.verdict))
            told = moderation(self.end.verdicts, self.end.verdict)
            return "content_filter", {"moderation": told}
        if self.end is None or self.end.reason not in _REASONS:
            raise Refused(problem_of_code("interrupted", "The server ended before the answer did. Try again."))
        more: dict[str, Any] = {}
        if told := moderation(self.end.verdicts):
            more["moderation"] = told
        if self.end.dropped_messages:
            more["dropped_messages"] = self.end.dropped_messages
        return _REASONS[self.end.reason], more


class Form(Protocol):
    """How one kind of completion is written."""

    prefix: str
    whole: str
    chunk: str

    def opening(self) -> dict[str, Any] | None:
        """The first delta of a choice, before anything is said."""
        ...

    def delta(self, piece: Piece, *, scored: bool) -> dict[str, Any]:
        """A choice of a chunk, without number and reason; `scored` says that tokens were asked for."""
        ...

    def message(self, choice: Choice, *, scored: bool) -> dict[str, Any]:
        """A choice of a whole answer, without number and reason."""
        ...


class ChatForm:
    """`chat.completion` and `chat.completion.chunk`; thinking is `reasoning_content`, as at vLLM and DeepSeek."""

    prefix, whole, chunk = "chatcmpl-", "chat.completion", "chat.completion.chunk"

    def opening(self) -> dict[str, Any] | None:
        """Who speaks."""
        return {"delta": {"role": "assistant", "content": ""}, "logprobs": None}

    def delta(self, piece: Piece, *, scored: bool) -> dict[str, Any]:
        """Text or thinking."""
        said = {name: text for name, text in (("content", piece.text), ("reasoning_content", piece.reasoning)) if text}
        return {"delta": said, "logprobs": _chat_logprobs(piece.tokens) if scored and piece.text else None}

    def message(self, choice: Choice, *, scored: bool) -> dict[str, Any]:
        """The message."""
        message = {"role": "assistant", "content": choice.text, "refusal": None}
        if choice.reasoning:
            message["reasoning_content"] = choice.reasoning
        return {"message": message, "logprobs": _chat_logprobs(choice.tokens) if scored else None}


class TextForm:
    """`text_completion`; offsets of tokens count characters of this choice's (or this chunk's) text."""

    prefix, whole, chunk = "cmpl-", "text_completion", "text_completion"

    def opening(self) -> dict[str, Any] | None:
        """Nothing: plain text has no speaker."""
        return None

    def delta(self, piece: Piece, *, scored: bool) -> dict[str, Any]:
        """Text; a chunk of thinking has none."""
        return {"text": piece.text, "logprobs": _text_logprobs(piece.tokens) if scored and piece.text else None}

    def message(self, choice: Choice, *, scored: bool) -> dict[str, Any]:
        """The text."""
        return {"text": choice.text, "logprobs": _text_logprobs(choice.tokens) if scored else None}


def stage_of(event: ChatEvent) -> str:
    """What an answer waits for, as an event tells it; empty for one that tells no such thing."""
    if isinstance(event, Queued):
        return f"queued, place {event.position}"
    if isinstance(event, Loading):
        share = "" if event.fraction is None else f" {event.fraction:.0%}"
        return f"{event.stage.value}{share}"
    return "checking" if isinstance(event, Checking) else ""


def usage_of(choices: Iterable[Choice]) -> dict[str, Any]:
    """The tokens of a request: its prompt counts once, however many answers were written to it."""
    used = [choice.usage for choice in choices]
    prompt = max((usage.prompt_tokens for usage in used), default=0)
    written = sum(usage.completion_tokens for usage in used)
    cached = max((usage.cached_tokens for usage in used), default=0)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": written,
        "total_tokens": prompt + written,
        "prompt_tokens_details": {"cached_tokens": cached},
    }


def _chat_logprobs(tokens: Sequence[TokenScore]) -> dict[str, Any]:
    return {
        "content": [
            {
                "token": token.text,
                "logprob": token.logprob,
                "bytes": list(token.data),
                "top_logprobs": [
                    {"token": text, "logprob": value, "bytes": None if "\ufffd" in text else list(text.encode())}
                    for text, value in token.top
                ],
            }
            for token in tokens
        ],
        "refusal": None,
    }


def _text_logprobs(tokens: Sequence[TokenScore]) -> dict[str, Any]:
    offsets, at = [], 0
    for token in tokens:
        offsets.append(at)
        at += len(token.text)
    return {
        "tokens": [token.text for token in tokens],
        "token_logprobs": [token.logprob for token in tokens],
        "top_logprobs": [dict(token.top) for token in tokens],
        "text_offset": offsets,
    }
