"""What it costs to hold answers to a JSON schema: with the embedded model, and a vocabulary as large as they come."""

from __future__ import annotations

import json
import random
import string
import time
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np

from benchmarks.rows import Row
from playground.catalog.catalog import Catalog
from playground.domain import SamplingParams
from playground.engines.contract import EngineOptions, Prompt
from playground.engines.detokenizer import Vocabulary
from playground.engines.grammar import GrammarMaker, check_schema
from playground.engines.onnx_engine import load_onnx_engine

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "born": {"type": "string", "format": "date"},
        "kind": {"enum": ["friend", "colleague", "neighbour"]},
        "notes": {"type": "array", "items": {"type": "string"}, "maxItems": 20},
        "scores": {"type": "array", "items": {"type": "number"}, "maxItems": 20},
    },
    "required": ["name", "born", "kind", "notes", "scores"],
    "additionalProperties": False,
}
ROUNDS = 12
LARGE = 128_000


def measure() -> Iterator[Row]:
    """CPU time of a token that is held to a schema, against one that is not; of reading a schema, and a tokenizer."""
    free, held = _embedded()
    yield Row("Pip int8: CPU time of a token held to a schema / free", held / free, "x", 2.0, at_least=False)
    yield Row("the difference, landing within max_tokens included", (held - free) * 1e6, "us/token")
    rng = random.Random(3)
    made = GrammarMaker(_large_vocabulary(rng))
    began = time.process_time()
    made.make(json.dumps(PERSON), 10)
    yield Row(f"{LARGE:,} tokens: first grammar of a model", time.process_time() - began, "s")
    spent = _hold(made)
    yield Row(
        f"{LARGE:,} tokens: what may follow, and the logits masked", spent * 1e6, "us/token", 2000, at_least=False
    )
    began = time.process_time()
    for _ in range(100):
        check_schema(json.dumps(PERSON))
    yield Row("reading a schema", (time.process_time() - began) * 10, "ms")


def _embedded() -> tuple[float, float]:
    """Seconds of CPU time for a token, free and held, drawn alike: so hot that free answers are long, too."""
    engine = load_onnx_engine(Catalog.load().get("pip"), EngineOptions(threads=1, max_batch=1), lambda _: None)
    prompt = Prompt((), tuple(range(20, 60)))
    spent: dict[str | None, list[float]] = {None: [], json.dumps(PERSON): []}
    try:
        for number in range(ROUNDS):
            for schema, seconds in spent.items():
                began = time.process_time()
                params = SamplingParams(temperature=2.5, seed=number, max_tokens=400, schema=schema)
                *_, last = engine.generate(prompt, params)
                tokens = last.usage.completion_tokens if last.usage else 1
                seconds.append((time.process_time() - began) / tokens)
    finally:
        engine.close()
    free, held = (sorted(seconds)[len(seconds) // 2] for seconds in spent.values())
    return free, held


class _Table:
    """Bytes of tokens, as a tokenizer's table has them."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces

    def bytes_of(self, token_ids: Sequence[int]) -> bytes:
        """Joined."""
        return b"".join(self._pieces[index] for index in token_ids)


def _large_vocabulary(rng: random.Random) -> Vocabulary:
    """Every byte, and words with and without a space before them, punctuation and digits among them."""
    letters = string.ascii_letters * 4 + string.digits + '"{}[],:.\\n '
    pieces = {bytes([index]) for index in range(256)}
    while len(pieces) < LARGE - 1:
        word = "".join(rng.choices(letters, k=rng.randint(2, 9)))
        pieces.add((" " * rng.randint(0, 1) + word).encode())
    table: Any = _Table([b"", *sorted(pieces)])
    return Vocabulary(cast("Any", table), frozenset({0}), LARGE)


def _hold(made: GrammarMaker) -> float:
    """Seconds of CPU time for one token, over whole documents drawn from random logits."""
    chance = np.random.default_rng(5)
    logits = chance.standard_normal((64, LARGE), np.float32)
    seconds, count = 0.0, 0
    for number in range(4):
        grammar = made.make(json.dumps(PERSON), 300)
        for step in range(250):
            row = logits[(step + number) % len(logits)]
            began = time.process_time()
            token = int(grammar.hold(row).argmax())
            grammar.take(token)
            seconds, count = seconds + time.process_time() - began, count + 1
            if token == 0:
                break
    return seconds / count
