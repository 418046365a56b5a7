"""Fifty loads and unloads, two models of two engines in turn: what stays in memory."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil

from benchmarks.checkpoint import checkpoint, converted
from benchmarks.rows import Row
from playground.catalog.catalog import Catalog
from playground.catalog.spec import ModelSpec
from playground.domain import SamplingParams
from playground.engines.contract import EngineOptions, Prompt
from playground.engines.pool import EnginePool

CYCLES = 50
BAR = 1.05


def measure() -> Iterator[Row]:
    """Memory of the server and its workers after every cycle, the most of the last ten against the first."""
    base = Catalog.load().get("pip")
    specs = [_spec(base, "onnx", converted("int4")), _spec(base, "torch", checkpoint())]
    pool = EnginePool(
        EngineOptions(max_batch=2, kv_cache_mb=64), max_models=1, idle_seconds=0, start_seconds=300, stall_seconds=300
    )
    try:
        after = [_cycle(pool, specs[cycle % 2]) for cycle in range(CYCLES)]
    finally:
        pool.close()
    ratio = max(after[-10:]) / after[1]  # each engine was loaded once by then
    detail = f"{after[1] / 2**20:.0f} MiB, then {max(after[-10:]) / 2**20:.0f} MiB"
    yield Row(f"memory after {CYCLES} loads and unloads / after two", ratio, "x", BAR, at_least=False, detail=detail)


def _cycle(pool: EnginePool, spec: ModelSpec) -> int:
    with pool.acquire(spec) as engine:
        list(engine.generate(Prompt((), (5, 6, 7)), SamplingParams(temperature=0.0, max_tokens=4)))
    pool.unload(spec.id)
    me, limit = psutil.Process(os.getpid()), time.monotonic() + 30
    while (workers := me.children(recursive=True)) and time.monotonic() < limit:
        time.sleep(0.05)
    return int(me.memory_info().rss + sum(worker.memory_info().rss for worker in workers))


def _spec(base: ModelSpec, engine: str, folder: Path) -> ModelSpec:
    return replace(base, id=engine, engine=engine, path=folder, context_length=0)
