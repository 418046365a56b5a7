"""The ONNX engine against a bare onnxruntime loop, against itself with eight streams, and after a long history.

Bare loop and engine take turns in one process, on one session and the same rows of the same buffers, so that neither
placement of memory nor a busy neighbour decides. Figures are medians over rounds; CPU ratios are given where the clock
alone would measure who else uses the machine.
"""

from __future__ import annotations

import random
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.checkpoint import converted
from benchmarks.rows import Row
from playground.domain import SamplingParams
from playground.engines.contract import EngineOptions, Prompt
from playground.engines.detokenizer import TokenTable
from playground.engines.local_engine import LocalEngine
from playground.engines.model_files import read_model_files, read_tokenizer_files
from playground.engines.model_runner import ModelRunner
from playground.engines.tokenizer import parse_tokenizer

ROUNDS = 9
ANSWERS = (64, 128, 256, 512)
GROWTH_ROUNDS = 3
STREAMS = 8
HISTORY = 2000
NEW_TURNS = (16, 32, 64, 128)
FOLLOW_UP_ROUNDS = 5
EMBEDDED = Path(__file__).parents[1] / "playground" / "embedded" / "pip" / "int8"


@dataclass(frozen=True)
class Subject:
    """A loaded model: the engine under test and the runner it runs on. An answer has `steps` tokens."""

    name: str
    engine: LocalEngine
    runner: ModelRunner
    steps: int


@dataclass(frozen=True)
class Speed:
    """Tokens per second by the clock and per second of CPU time of this process."""

    clock: float
    cpu: float


def measure() -> Iterator[Row]:
    """Every row; models one after the other."""
    if EMBEDDED.is_dir():
        yield from _measure(EMBEDDED, "pip int8", steps=300)
    yield from _measure(converted("int4"), "135M int4", steps=24)


def _measure(folder: Path, name: str, steps: int) -> Iterator[Row]:
    subject = _load(folder, name, steps)
    try:
        yield _memory_row(subject)
        yield from _decode_rows(subject)
        yield from _growth_rows(subject)
        if subject.runner.capacity > HISTORY + max(NEW_TURNS):
            yield from _follow_up_rows(subject)
    finally:
        subject.engine.close()


def _load(folder: Path, name: str, steps: int) -> Subject:
    options = EngineOptions(max_batch=STREAMS, kv_cache_mb=2048)
    files = read_model_files(folder)
    runner = ModelRunner(files, options, files.context_length)
    table = TokenTable(parse_tokenizer(read_tokenizer_files(folder).definition))
    # Without end-of-answer tokens every answer has the length that was asked for.
    return Subject(name, LocalEngine(runner, table, frozenset(), max_batch=STREAMS), runner, steps)


def _decode_rows(subject: Subject) -> Iterator[Row]:
    kinds: dict[str, Callable[[], Speed]] = {
        "bare": lambda: _bare(subject, 1),
        "engine": lambda: _streams(subject, 1),
        "bare, 8 rows": lambda: _bare(subject, STREAMS),
        "engine, 8 streams": lambda: _streams(subject, STREAMS),
    }
    rounds: dict[str, list[Speed]] = {kind: [] for kind in kinds}
    for run in kinds.values():
        run()
    for turn in range(ROUNDS):
        for kind in list(kinds) if turn % 2 else reversed(kinds):
            rounds[kind].append(kinds[kind]())
    for kind, speeds in rounds.items():
        median = statistics.median(speed.clock for speed in speeds)
        yield Row(f"{subject.name}: {kind}", median, "tokens/s", detail=f"{_cpu(speeds):.0f} per CPU second")
    pairs = [
        ("engine", "bare", 0.95),
        ("engine, 8 streams", "bare, 8 rows", None),
        ("engine, 8 streams", "engine", 2.0),
    ]
    for one, other, bar in pairs:
        ratios = [a.clock / b.clock for a, b in zip(rounds[one], rounds[other], strict=True)]
        detail = f"{_cpu(rounds[one]) / _cpu(rounds[other]):.3f} by CPU time"
        yield Row(f"{subject.name}: {one} / {other}", statistics.median(ratios), "x", bar, detail=detail)


def _growth_rows(subject: Subject) -> Iterator[Row]:
    """Whether an answer's cost grows with its length alone: what attention reads grows too, but little beside weights.

    The same for conversations at once: the weights are read once for all.
    """
    lengths = [length for length in ANSWERS if length + 64 <= subject.runner.capacity]
    costs: dict[int, list[float]] = {length: [] for length in lengths}
    batches: dict[int, list[float]] = {count: [] for count in (1, 2, 4, STREAMS)}
    for _ in range(GROWTH_ROUNDS):
        for length, spent in costs.items():
            spent.append(1 / _streams(replace(subject, steps=length), 1).cpu)
        for count, spent in batches.items():
            spent.append(1 / _streams(replace(subject, steps=ANSWERS[0]), count).cpu)
    for length in lengths[1:]:
        ratio = statistics.median(costs[length]) / statistics.median(costs[lengths[0]])
        name = f"{subject.name}: CPU time per token of {length} tokens / of {lengths[0]}"
        yield Row(name, ratio, "x", 1.3, at_least=False, detail=f"{1000 * statistics.median(costs[length]):.1f} ms")
    for count in list(batches)[1:]:
        ratio = statistics.median(batches[count]) / statistics.median(batches[1])
        name = f"{subject.name}: CPU time per token of {count} at once / of one"
        yield Row(name, ratio, "x", 1.0, at_least=False, detail=f"{1000 * statistics.median(batches[count]):.1f} ms")


def _cpu(speeds: list[Speed]) -> float:
    return statistics.median(speed.cpu for speed in speeds)


def _bare(subject: Subject, rows: int) -> Speed:
    """The least that can be done: run, largest logit, feed back."""
    batch = subject.runner.batch(0, rows)
    batch.ids[:], batch.lengths[:] = 7, 33
    run, ids, lengths, logits = batch.run, batch.ids, batch.lengths, batch.logits
    began, began_cpu = time.perf_counter(), time.process_time()
    for _ in range(subject.steps):
        run()
        logits.argmax(axis=1, out=ids)
        lengths += 1
    took, took_cpu = time.perf_counter() - began, time.process_time() - began_cpu
    return Speed(rows * subject.steps / took, rows * subject.steps / took_cpu)


def _streams(subject: Subject, count: int) -> Speed:
    """The engine with so many conversations, from the request to the last token; prompts are known from the warm-up."""
    params = SamplingParams(temperature=0.0, max_tokens=subject.steps)
    prompts = [Prompt((), (stream + 3,) * 32) for stream in range(count)]

    start = threading.Barrier(count)

    def consume(prompt: Prompt) -> None:
        start.wait()
        for _ in subject.engine.generate(prompt, params):
            pass

    threads = [threading.Thread(target=consume, args=(prompt,)) for prompt in prompts[1:]]
    for thread in threads:
        thread.start()
    began, began_cpu = time.perf_counter(), time.process_time()
    consume(prompts[0])
    for thread in threads:
        thread.join()
    took, took_cpu = time.perf_counter() - began, time.process_time() - began_cpu
    return Speed(count * subject.steps / took, count * subject.steps / took_cpu)


def _follow_up_rows(subject: Subject) -> Iterator[Row]:
    """Time to the first token of a turn after a long history, against a first turn with as many tokens."""
    random_ids = random.Random(7)
    history = random_ids.choices(range(3, 300), k=HISTORY)
    whole = _first_token(subject, history)
    for new in NEW_TURNS:
        first, follow_up = [], []
        for _ in range(FOLLOW_UP_ROUNDS):
            turn = random_ids.choices(range(3, 300), k=new)
            first.append(_first_token(subject, turn))
            follow_up.append(_first_token(subject, history + turn))
        ratio = statistics.median(later / earlier for later, earlier in zip(follow_up, first, strict=True))
        detail = f"{1000 * statistics.median(follow_up):.0f} ms against {1000 * statistics.median(first):.0f} ms"
        name = f"{subject.name}: first token after {HISTORY} tokens / of a first turn, {new} new tokens"
        yield Row(name, ratio, "x", 1.3, at_least=False, detail=detail)
    name = f"{subject.name}: the same follow-up / of a first turn with all those tokens"
    yield Row(name, statistics.median(follow_up) / whole, "x", detail=f"{1000 * whole:.0f} ms to read {HISTORY} tokens")


def _first_token(subject: Subject, prompt: list[int]) -> float:
    began = time.perf_counter()
    params = SamplingParams(temperature=0.0, max_tokens=1)
    for _ in subject.engine.generate(Prompt((), tuple(prompt)), params):
        return time.perf_counter() - began
    raise AssertionError("an answer has at least one piece")


def _memory_row(subject: Subject) -> Row:
    """What conversations add to the memory of the process, against the size of their keys and values."""
    tokens, count = min(1000, subject.runner.capacity - 2), 4
    warm, *measured = (random.Random(seed).choices(range(3, 300), k=tokens) for seed in range(count + 1))
    _first_token(subject, warm)
    before = _resident()
    for prompt in measured:
        _first_token(subject, prompt)
    size = count * tokens * subject.runner.cache.bytes_per_token
    detail = f"{count} of {size / count / 2**20:.1f} MiB"
    return Row(
        f"{subject.name}: memory of conversations / their keys and values",
        (_resident() - before) / size,
        "x",
        detail=detail,
    )


def _resident() -> int:
    fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * 4096
