"""What `transformers` computes with the checkpoint: the measure of every conversion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from playground.engines.conversion.checkpoint import text_config, windows
from playground.engines.folder_reader import read_text
from playground.engines.tokenizer import parse_tokenizer

_TEXT = (
    "The library opens at nine. Bring your card, and return what you borrowed last week. "
    "Thư viện mở cửa lúc chín giờ; bạn nhớ mang thẻ theo nhé. def add(a, b):\n    return a + b\n"
    "Water boils at 100 degrees, and 17 times 3 is 51. 図書館は九時に開きます。 "
)
# Prompts of these lengths in tokens; the longest of all passes the sliding window, where there is one.
_LENGTHS = (7, 40, 96)
_BEYOND_WINDOW = 24
MAX_WINDOW = 4200
ANSWER = 12
KEPT = 16


@dataclass(frozen=True, slots=True)
class Passage:
    """A prompt, the greedy answer to it, and the logits after each of its last `KEPT` tokens and each token of the
    answer but the last: [positions, vocabulary]."""

    prompt: list[int]
    answer: list[int]
    logits: NDArray[np.float32]


def read_reference(model: Any, source: Path) -> list[Passage]:
    """Passages of several lengths. Raises ModelLoadError when the tokenizer cannot be read."""
    text = text_config(model.config)
    window = max(windows(model.config))
    longest = getattr(text, "max_position_embeddings", None) or max(_LENGTHS) + ANSWER
    lengths = [*_LENGTHS, *([window + _BEYOND_WINDOW] if 0 < window <= MAX_WINDOW else [])]
    tokens = _sample_tokens(source, max(lengths), text.vocab_size)
    fitting = [length for length in lengths if length + ANSWER <= longest]
    return [_read_passage(model, tokens[length // 3 :][:length]) for length in fitting]


def read_again(model: Any, passages: Sequence[Passage]) -> list[Passage]:
    """The same prompts and answers with another model's logits."""
    return [_read_passage(model, passage.prompt, passage.answer) for passage in passages]


def _sample_tokens(source: Path, longest: int, vocab_size: int) -> list[int]:
    core = parse_tokenizer(read_text(source, "tokenizer.json")) if (source / "tokenizer.json").is_file() else None
    if core is None:  # an older form of tokenizer: any tokens will do
        ids = np.random.default_rng(0).integers(vocab_size // 8, vocab_size // 2, 2 * longest)
        return [int(index) for index in ids]
    once = [index for index in core.encode(_TEXT, add_special_tokens=False).ids if index < vocab_size]
    return once * (2 * longest // len(once) + 1)


def _read_passage(model: Any, prompt: list[int], given: Sequence[int] = ()) -> Passage:
    """Read the prompt, then the answer that is given, or else write one greedily."""
    import torch  # noqa: PLC0415

    with torch.inference_mode():
        ids = torch.tensor([prompt], device=model.device)
        kept = min(KEPT, len(prompt))
        out = model(input_ids=ids, use_cache=True)
        logits = [out.logits[0, -kept:].float()]
        answer = list(given[:1]) or [int(logits[0][-1].argmax())]
        for step in range(1, ANSWER):
            ids = torch.tensor([[answer[-1]]], device=model.device)
            out = model(input_ids=ids, past_key_values=out.past_key_values, use_cache=True)
            logits.append(out.logits[0].float())
            answer.append(given[step] if given else int(logits[-1][-1].argmax()))
        return Passage(prompt, answer, torch.cat(logits).cpu().numpy())
