"""An engine without a model: it answers with the user's last message. For tests, and for seeing the page at once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from playground.domain import FinishReason, SamplingParams, Timings, Usage
from playground.engines.contract import Capabilities, Delta, Progress, Prompt
from playground.errors import EngineError


class EchoEngine:
    """Repeats the last message of the user, `piece_chars` characters at a time, each after `delay_seconds`.

    Every piece counts as one token, so `max_tokens` and the usage mean pieces here. `backwards` says the message from
    its end to its beginning: only the answer then contains what a test looks for, and not the question.
    """

    def __init__(
        self,
        *,
        piece_chars: int = 4,
        delay_seconds: float = 0.0,
        backwards: bool = False,
        context_length: int = 0,
        concurrent: int = 8,
    ) -> None:
        if piece_chars < 1:
            raise ValueError(f"piece_chars is {piece_chars}; it must be at least 1.")
        self._piece_chars = piece_chars
        self._delay = delay_seconds
        self._backwards = backwards
        self._closed = False
        self._capabilities = Capabilities(context_length=context_length, logprobs=False, concurrent=concurrent)

    @property
    def capabilities(self) -> Capabilities:
        """No log-probabilities; any length."""
        return self._capabilities

    def generate(self, prompt: Prompt, params: SamplingParams, progress: Progress | None = None) -> Iterator[Delta]:
        """The user's last message, cut before the first stop text and after `max_tokens` pieces."""
        del progress
        if self._closed:
            raise EngineError("The echo engine is closed. Choose a model again.")
        asked = [turn.content for turn in prompt.turns if turn.role == "user"]
        text = asked[-1] if asked else ""
        if self._backwards:
            text = text[::-1]
        stops = [at for stop in params.stop if (at := text.find(stop)) >= 0]
        return self._pieces(text[: min(stops)] if stops else text, len(asked), params.max_tokens)

    def _pieces(self, text: str, prompt_tokens: int, max_tokens: int) -> Iterator[Delta]:
        began = time.monotonic()
        first: float | None = None
        starts = range(0, len(text), self._piece_chars)
        for start in starts[:max_tokens]:
            if self._delay:
                time.sleep(self._delay)
            first = first or time.monotonic()
            yield Delta(text[start : start + self._piece_chars])
        now = time.monotonic()
        yield Delta(
            "",
            finish_reason=FinishReason.LENGTH if len(starts) > max_tokens else FinishReason.STOP,
            usage=Usage(prompt_tokens=prompt_tokens, completion_tokens=min(len(starts), max_tokens)),
            timings=Timings(first_token=(first or now) - began, decoding=now - (first or now)),
        )

    def score(self, token_ids: Sequence[int]) -> list[float]:
        """Raises EngineError: there is no model behind this engine."""
        del token_ids
        raise EngineError("The echo engine has no probabilities. Choose a language model to see them.")

    def close(self) -> None:
        """Refuse further answers."""
        self._closed = True
