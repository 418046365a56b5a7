"""Whether a converted folder computes what the checkpoint does, through this project's own engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from playground.engines.contract import Device, EngineOptions
from playground.engines.conversion.reference import KEPT, Passage
from playground.engines.model_files import read_model_files
from playground.engines.runner import Runner
from playground.engines.runners import load_runner
from playground.errors import EngineError, ModelLoadError, OutOfMemory


@dataclass(frozen=True, slots=True)
class Drift:
    """How far one set of logits is from another.

    `logits` is the root mean square of their differences, as a part of their own spread, over the worst passage's
    positions; two unrelated sets have 1.4. `agreement` is the part of positions whose most probable token is the same.
    """

    logits: float
    agreement: float


# How far a graph of unrounded weights may be from `transformers`. docs/conversion.md tells what was measured.
LIMITS: dict[str, Drift] = {"fp32": Drift(0.001, 0.98), "fp16": Drift(0.02, 0.95)}
_NOISE_FACTOR, _LEAST_NOISE, _MOST_NOISE = 2.5, 0.01, 0.3


def limit_for_rounded(noise: Drift) -> Drift:
    """How far a graph of rounded weights may be from `transformers` with the same rounded weights.

    Such graphs compute in 8 bits, and models differ in how much that moves them. `noise` is how far rounding the
    weights to 8 bits moves this very model: right graphs were seen at 0.5 to 2 of it.
    """
    return Drift(min(_MOST_NOISE, _NOISE_FACTOR * noise.logits + _LEAST_NOISE), 0.0)


def compare_passages(ours: Sequence[Passage], theirs: Sequence[Passage]) -> Drift:
    """How far `ours` are from `theirs`."""
    return _worst([_drift(one.logits, other.logits) for one, other in zip(ours, theirs, strict=True)])


def check_folder(folder: Path, passages: Sequence[Passage], limit: Drift, device: Device) -> Drift:
    """Run the passages through the engine, the answers of two at a time, and compare.

    Raises ModelLoadError when the folder does not load, does not run, or drifts beyond the limit.
    """
    needed = max(len(passage.prompt) + len(passage.answer) for passage in passages)
    files = read_model_files(folder)
    runner = load_runner(files, EngineOptions(max_batch=2, kv_cache_mb=4096, device=device), needed)
    drifts: list[Drift] = []
    try:
        for at in range(0, len(passages), 2):
            drifts += _compare(runner, passages[at : at + 2])
    except OutOfMemory:
        raise
    except EngineError as error:
        raise ModelLoadError(
            "What was converted fails while it computes. Choose another precision or model."
        ) from error
    worst = _worst(drifts)
    if not worst.logits <= limit.logits or worst.agreement < limit.agreement:
        raise ModelLoadError(
            f"What was converted does not compute what the checkpoint does: its logits are off by {worst.logits:.3f} "
            f"of their spread (at most {limit.logits:g}), and {100 * worst.agreement:.0f} % of its tokens are the same "
            f"(at least {100 * limit.agreement:.0f} %). Choose another precision or model."
        )
    return worst


def _worst(drifts: Sequence[Drift]) -> Drift:
    return Drift(max(drift.logits for drift in drifts), float(np.mean([drift.agreement for drift in drifts])))


def _compare(runner: Runner, passages: Sequence[Passage]) -> list[Drift]:
    seen = [_read(runner, row, passage.prompt) for row, passage in enumerate(passages)]
    batch = runner.batch(0, len(passages))
    lengths = np.array([len(passage.prompt) for passage in passages], np.int64)
    for step in range(len(passages[0].answer) - 1):
        batch.ids[:] = [passage.answer[step] for passage in passages]
        batch.lengths[:] = lengths + step + 1
        batch.run()
        for row, logits in enumerate(batch.logits):
            seen[row].append(np.array(logits, np.float32))
    for row in range(len(passages)):
        runner.cache.release(row)
    return [_drift(np.stack(logits), passage.logits) for logits, passage in zip(seen, passages, strict=True)]


def _read(runner: Runner, row: int, prompt: list[int]) -> list[NDArray[np.float32]]:
    """The logits after each of the prompt's last tokens; those before are read as in an answer, without them."""
    head = max(0, len(prompt) - KEPT)
    for start in range(0, head, runner.chunk):
        runner.prefill(row, start, prompt[start : min(head, start + runner.chunk)])
    logits = runner.prefill(row, head, prompt[head:], every=True)
    return [np.array(item, np.float32) for item in logits]


def _drift(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> Drift:
    if not np.isfinite(ours).all():
        return Drift(float("inf"), 0.0)
    ours = ours[:, : theirs.shape[1]]
    apart = ours - theirs
    apart -= apart.mean(axis=1, keepdims=True)  # what is added to all logits of a position changes nothing
    spread = theirs.std(axis=1)
    return Drift(
        float(np.sqrt(np.mean((apart.std(axis=1) / spread) ** 2))),
        float((ours.argmax(axis=1) == theirs.argmax(axis=1)).mean()),
    )
