"""An engine with log-probabilities that says what the test wants, in tokens of a few bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from playground.catalog.spec import ModelSpec
from playground.domain import FinishReason, SamplingParams, Usage
from playground.engines.contract import Capabilities, Delta, EngineOptions, Progress, Prompt, TokenLogprob
from playground.engines.registry import EngineKind


class SpellingEngine:
    """Says the last message (`backwards`: from its end) in tokens of `piece_bytes` bytes, parts of characters too.

    Every token's alternatives are itself, `alternative` and " and".
    """

    capabilities = Capabilities(context_length=0, logprobs=True, concurrent=8)

    def __init__(self, piece_bytes: int = 3, alternative: str = "other", *, backwards: bool = False) -> None:
        self._piece_bytes = piece_bytes
        self._alternative = alternative
        self._backwards = backwards

    def generate(self, prompt: Prompt, params: SamplingParams, progress: Progress | None = None) -> Iterator[Delta]:
        """The tokens, each as soon as it is there; text as soon as its characters are whole."""
        text = prompt.turns[-1].content
        data = (text[::-1] if self._backwards else text).encode()
        sent = 0
        for start in range(0, len(data), self._piece_bytes):
            end = min(start + self._piece_bytes, len(data))
            whole = data[:end].decode("utf-8", "ignore")
            yield Delta(whole[sent:], (self._token(data[start:end]),) if params.logprobs is not None else ())
            sent = len(whole)
        yield Delta("", finish_reason=FinishReason.STOP, usage=Usage(1, -(-len(data) // self._piece_bytes)))

    def _token(self, data: bytes) -> TokenLogprob:
        text = data.decode("utf-8", "replace")
        top = ((1, text, -0.5), (2, self._alternative, -1.5), (3, " and", -2.5))
        return TokenLogprob(1, text, -0.5, top, data)

    def score(self, token_ids: Sequence[int]) -> list[float]:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing to give back."""


def _create(spec: ModelSpec, options: EngineOptions, progress: Progress) -> SpellingEngine:
    return SpellingEngine(**spec.engine_options)  # type: ignore[arg-type]


SPELLING = EngineKind(_create, in_worker=False, options={"piece_bytes": int, "alternative": str, "backwards": bool})
