"""An engine whose thoughts are known: it says what it is told, and holds possible what a test puts into its head.

Every text of `holds` is one token of its vocabulary and among the most probable ones, by turns where they are many.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import pytest
import tokenizers
from tokenizers import AddedToken, decoders, models, pre_tokenizers

from playground.domain import FinishReason, SamplingParams, Usage
from playground.engines.contract import Candidate, Capabilities, Delta, Look, Progress, Prompt
from playground.engines.model_files import TokenizerFiles
from playground.engines.registry import ENGINES, EngineKind
from playground.engines.tokenizer import HfTokenizer

END = "<|im_end|>"
POLICY = """
extends = "standard"
[detectors]
input = []
output = ["words", "personal_data"]
[output]
profanity = { action = "block", threshold = 0.5 }
slur = { action = "block", threshold = 0.5 }
abuse = { action = "block", threshold = 0.5 }
email = "redact"
"""
TEMPLATE = (
    "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)


class Oracle:
    """Says the parts of `says` one after the other, each with tokens of its own, whatever it is asked.

    A beginning that leads elsewhere is all of its answer. Where it reads other words than its own it holds likeliest
    what is in its head.
    """

    def __init__(self, says: Sequence[str], holds: Sequence[str], tokenizer: HfTokenizer) -> None:
        self._script = tuple(token for part in says for token in tokenizer.encode(part))
        self._tokenizer = tokenizer
        self._holds = holds

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(context_length=100_000, logprobs=True, concurrent=8)

    def generate(self, prompt: Prompt, params: SamplingParams, progress: Progress | None = None) -> Iterator[Delta]:
        begun = prompt.token_ids[len(prompt.token_ids) - prompt.answered :]
        rest = self._script[len(begun) :] if self._script[: len(begun)] == begun else ()
        for text in self._tokenizer.texts((*begun, *rest), start=True):
            yield Delta(text)
        asked = len(prompt.token_ids) - prompt.answered
        written = tuple(token for token in (*begun, *rest) if not self._tokenizer.is_control(token))
        yield Delta("", finish_reason=FinishReason.STOP, usage=Usage(asked, len(rest)), token_ids=written)

    def look(self, prompt: Prompt, params: SamplingParams, *, first: int, count: int) -> list[Look]:
        begun = prompt.token_ids[len(prompt.token_ids) - prompt.answered :]
        return [self._look(begun, place, count) for place in range(first, len(begun) + 1)]

    def _look(self, begun: tuple[int, ...], place: int, count: int) -> Look:
        held = [self._tokenizer.core.token_to_id(text) for text in (*self._holds, END)]
        logprob = math.log(0.5 / len(held))
        turn = place % len(held)  # so that each has its turn when there is no room for all
        thoughts = [Candidate(token, logprob, 0.0) for token in held[turn:] + held[:turn]]
        next_token = self._script[place] if place < len(self._script) else held[-1]
        drawn = Candidate(next_token, math.log(0.5), 1.0)
        stands = Candidate(begun[place], math.log(0.5), 1.0) if place < len(begun) else None
        if stands is not None and stands.token_id != next_token:  # of words that are not its own it thinks otherwise
            stands = Candidate(stands.token_id, math.log(0.01), 0.0)
            return Look(stands, drawn, (*thoughts, stands)[:count], 1.5, 1)
        return Look(stands, drawn, (drawn, *thoughts[: count - 1]), 1.5, 1)

    def score(self, token_ids: Sequence[int]) -> list[float]:
        return [-1.0] * (len(token_ids) - 1)

    def close(self) -> None:
        pass


def make_tokenizer(holds: Sequence[str]) -> HfTokenizer:
    """One token a byte, and one for everything that is held possible."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = tokenizers.Tokenizer(models.BPE({letter: index for index, letter in enumerate(alphabet)}, []))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens([END])
    core.add_tokens([AddedToken(text, normalized=False) for text in holds])
    return HfTokenizer(TokenizerFiles(core.to_str(), TEMPLATE, {}))


def install(
    patch: pytest.MonkeyPatch, says: Sequence[str], holds: Sequence[str], name: str = "oracle", more: Sequence[str] = ()
) -> None:
    """Make it an engine that rows of the catalogue can name. What it holds may change, to others of `more`."""
    tokenizer = make_tokenizer([*holds, *more])
    kind = EngineKind(lambda *_: Oracle(says, holds, tokenizer), in_worker=False, tokenizer=lambda _: tokenizer)
    patch.setitem(ENGINES, name, kind)
