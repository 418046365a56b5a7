"""What the way from the engine to the visitor costs: gate, storage, runs, HTTP, against the engine alone.

Both sides write the same number of greedy tokens with the same model folder, alone and eight at a time, in turns; each
row is the median of the ratios. The visitors are threads of this process, so their work counts against the path too.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.checkpoint import converted
from benchmarks.page_client import PageClient
from benchmarks.rows import Row
from benchmarks.served import Served, serve
from playground.config import Settings
from playground.engines.contract import Prompt, Turn
from playground.services import Services, build

TOKENS = 192
ROUNDS = 5
SHARE = 0.90
QUESTION = "Tell me something long about rivers and mountains."

MODELS = """
[[models]]
id = "bench"
name = "Bench"
family = "Llama"
engine = "onnx"
path = "{path}"
context_length = 4096
licence = "none"
languages = ["en"]
defaults = {{ temperature = 0.0, max_tokens = {tokens} }}
description = {{ en = "Random weights.", vi = "Trọng số ngẫu nhiên." }}
suggestions = {{ en = [], vi = [] }}
"""


def measure() -> Iterator[Row]:
    """Tokens per second of the whole path over those of the engine alone, for one and for eight answers at once."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "models.toml"
        file.write_text(MODELS.format(path=converted("int4"), tokens=TOKENS), encoding="utf-8")
        alone = build(Settings(models_file=file, data_dir=Path(folder) / "alone"))
        try:
            with serve("--models-file", str(file), "--default-model", "bench") as app:
                yield _row(app, alone, 1)
                yield _row(app, alone, 8)
        finally:
            alone.close()


def _row(app: Served, alone: Services, streams: int) -> Row:
    with ExitStack() as stack:
        visitors = [stack.enter_context(PageClient(app.address)) for _ in range(streams)]

        def pair() -> tuple[float, float]:
            for visitor in visitors:
                visitor.fire("conversations", "create")
            path = _together([partial(_visit, visitor) for visitor in visitors])
            return path, _together([partial(_generate, alone)] * streams)

        pair()
        pairs = [pair() for _ in range(ROUNDS)]
    ratio = statistics.median(path / engine for path, engine in pairs)
    detail = f"{pairs[-1][0]:.0f} of {pairs[-1][1]:.0f} tokens/s"
    return Row(f"whole path / engine alone, 135M int4, {streams} at once", ratio, "ratio", SHARE, True, detail)


def _together(work: Sequence[Callable[[], int]]) -> float:
    """Tokens per second of all the work at once; each returns how many tokens it got."""
    with ThreadPoolExecutor(len(work)) as threads:
        began = time.perf_counter()
        tokens = sum(job.result() for job in [threads.submit(part) for part in work])
        return tokens / (time.perf_counter() - began)


def _visit(visitor: PageClient) -> int:
    visitor.ask(QUESTION)
    for _ in visitor.answers():
        pass
    return TOKENS


def _generate(services: Services) -> int:
    spec = services.catalog.get("bench")
    turns = (Turn("user", QUESTION),)
    tokenizer = services.pool.tokenizer(spec)
    ids = tuple(tokenizer.encode_chat(turns)) if tokenizer else ()
    with services.pool.acquire(spec) as engine:
        for delta in engine.generate(Prompt(turns, ids), spec.defaults):
            if delta.usage is not None and delta.usage.completion_tokens != TOKENS:
                raise RuntimeError(f"{delta.usage.completion_tokens} tokens instead of {TOKENS}: change the question")
    return TOKENS
