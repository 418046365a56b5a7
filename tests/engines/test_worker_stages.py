"""A worker killed at every stage of its life, and models of two engines loaded and unloaded in turn."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from playground.domain import FinishReason, Loading, Queued, SamplingParams, Stage
from playground.engines.contract import EngineOptions, Prompt
from playground.engines.pool import EnginePool
from playground.errors import EngineError, ModelLoadError, WorkerDied
from tests.engines.answers import prompt_of
from tests.engines.conftest import Reference, make_spec

NewPool = Callable[..., EnginePool]
OPTIONS = EngineOptions(threads=1, max_batch=4, kv_cache_mb=64)
LONG = Prompt((), tuple(prompt_of(400)))
GREEDY = SamplingParams(temperature=0.0, max_tokens=12, logprobs=0)
ENDLESS = SamplingParams(temperature=0.0, max_tokens=100, logprobs=20)


def kill_workers() -> None:
    """Kill the worker that is there, or that is about to be: loading is told before the process begins."""
    limit = time.monotonic() + 20
    while not (workers := [child for child in psutil.Process().children() if is_worker(child)]):
        assert time.monotonic() < limit
        time.sleep(0.001)
    for worker in workers:
        os.kill(worker.pid, signal.SIGKILL)


def is_worker(process: psutil.Process) -> bool:
    try:
        return "playground.engines.worker" in process.cmdline()
    except psutil.Error:  # it ended while it was looked at
        return False


def kill_at(stage: Stage) -> Callable[[Loading | Queued], None]:
    def heard(news: Loading | Queued) -> None:
        if isinstance(news, Loading) and news.stage is stage:
            kill_workers()

    return heard


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_a_worker_killed_at_any_stage_is_told_and_started_again(
    engine: str, new_pool: NewPool, fp32_folder: Path, hf_folder: Path, reference: Reference
) -> None:
    pool, spec = new_pool(options=OPTIONS), make_spec(engine, {"onnx": fp32_folder, "torch": hf_folder}[engine])
    for stage in (Stage.LOADING, Stage.WARMING_UP):
        try:
            with pool.acquire(spec, kill_at(stage)) as loaded:
                assert stage is Stage.WARMING_UP, "a process that was killed while loading cannot have loaded"
                with pytest.raises(WorkerDied):  # it was quicker than the news
                    list(loaded.generate(LONG, ENDLESS, kill_at(Stage.PREFILLING)))
        except ModelLoadError as error:
            assert "perhaps for lack of memory" in str(error)  # noqa: PT017  either of two ends is right
    with pool.acquire(spec) as loaded, pytest.raises(WorkerDied, match="Try again"):
        list(loaded.generate(LONG, ENDLESS, kill_at(Stage.PREFILLING)))
    with pool.acquire(spec) as loaded:
        stream = loaded.generate(Prompt((), tuple(prompt_of(9))), ENDLESS)
        next(stream)
        kill_workers()
        with pytest.raises(WorkerDied, match="Try again"):
            list(stream)
    with pool.acquire(spec) as loaded:
        deltas = list(loaded.generate(Prompt((), tuple(prompt_of(9))), GREEDY))
        tokens = [item.token_id for delta in deltas for item in delta.logprobs]
        assert tokens == reference.greedy(prompt_of(9), 12)
        assert deltas[-1].finish_reason in FinishReason


def workers() -> list[psutil.Process]:
    """The worker processes of this one; other tests' database server may be a child of it as well."""
    return [child for child in psutil.Process().children() if "postgres" not in child.name()]


def test_a_load_that_fails_leaves_no_process(new_pool: NewPool, tmp_path: Path) -> None:
    pool = new_pool(options=OPTIONS)
    for engine in ("onnx", "torch"):
        with pytest.raises(EngineError), pool.acquire(make_spec(engine, tmp_path / "nowhere", name=engine)):
            pass
    assert not workers()


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_memory_is_back_after_loading_two_models_in_turn(new_pool: NewPool, fp32_folder: Path, hf_folder: Path) -> None:
    pool = new_pool(options=OPTIONS, max_models=1)
    specs = [make_spec("onnx", fp32_folder, name="a"), make_spec("torch", hf_folder, name="b")]
    me, after = psutil.Process(), []
    for _ in range(2):
        for spec in specs:
            with pool.acquire(spec) as engine:
                list(engine.generate(Prompt((), tuple(prompt_of(9))), GREEDY))
                assert len(workers()) == 1
        pool.unload("b")
        limit = time.monotonic() + 20
        while workers():
            assert time.monotonic() < limit
            time.sleep(0.01)
        after.append(me.memory_info().rss)
    assert after[-1] < 1.05 * after[0]
