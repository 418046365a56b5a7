"""Workers as real processes: loading, answering, dying, falling silent, going away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from playground.domain import FinishReason, Loading, SamplingParams, Stage
from playground.engines.contract import EngineOptions, Prompt, Turn
from playground.engines.pool import EnginePool
from playground.engines.worker_engine import WorkerEngine
from playground.errors import EngineError, EngineTimeout, InvalidRequest, ModelLoadError, WorkerDied
from tests.engines.conftest import Reference, make_spec, make_tokenizer

NewPool = Callable[..., EnginePool]
GREEDY = SamplingParams(temperature=0.0, max_tokens=20, logprobs=2)
ENDLESS = SamplingParams(temperature=0.0, max_tokens=480, logprobs=20)
PROMPT = Prompt((), tuple(range(20, 50)))


def pid_of(pool: EnginePool) -> int:
    pid = pool.status()[0].pid
    assert pid is not None
    return pid


def wait_until(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_answers_come_through_the_wire_unchanged(new_pool: NewPool, fp32_folder: Path, reference: Reference) -> None:
    pool, spec = new_pool(), make_spec("onnx", fp32_folder)
    stages: list[object] = []
    with pool.acquire(spec, stages.append) as engine:
        assert isinstance(engine, WorkerEngine)
        assert Loading(Stage.LOADING) in stages
        deltas = list(engine.generate(PROMPT, GREEDY))
        logprobs = [item for delta in deltas for item in delta.logprobs]
        assert [item.token_id for item in logprobs] == reference.greedy(list(PROMPT.token_ids), 20)
        assert all(len(item.top) == 2 for item in logprobs)
        assert deltas[-1].usage is not None
        assert deltas[-1].usage.prompt_tokens == 30
        assert deltas[-1].timings is not None
        assert engine.capabilities.logprobs
        assert engine.capabilities.context_length == 512
        assert len(engine.score(PROMPT.token_ids)) == 29
        (line,) = pool.status()
        assert line.pid == engine.pid != os.getpid()
        assert line.memory_bytes > 10 * 2**20
        with pytest.raises(InvalidRequest, match="token ids"):
            list(engine.generate(Prompt((), (10**6,)), GREEDY))


def test_many_threads_share_a_worker(new_pool: NewPool, fp32_folder: Path, reference: Reference) -> None:
    pool, spec = new_pool(), make_spec("onnx", fp32_folder)
    prompts = [list(range(10 + index, 30 + 3 * index)) for index in range(8)]

    def ask(prompt: list[int]) -> list[int]:
        with pool.acquire(spec) as engine:
            deltas = list(engine.generate(Prompt((), tuple(prompt)), GREEDY))
        return [item.token_id for delta in deltas for item in delta.logprobs]

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, prompts))
    assert answers == [reference.greedy(prompt, 20) for prompt in prompts]


def test_a_killed_worker_is_told_and_started_again(new_pool: NewPool, fp32_folder: Path) -> None:
    pool, spec = new_pool(), make_spec("onnx", fp32_folder)
    with pool.acquire(spec) as engine:
        first = pid_of(pool)
        stream = engine.generate(PROMPT, ENDLESS)
        next(stream)
        os.kill(first, signal.SIGKILL)
        with pytest.raises(WorkerDied, match="Try again"):
            list(stream)
        with pytest.raises(WorkerDied):
            list(engine.generate(PROMPT, GREEDY))
    with pool.acquire(spec) as engine:
        assert list(engine.generate(PROMPT, GREEDY))[-1].finish_reason is FinishReason.LENGTH
        assert pid_of(pool) != first


def test_a_silent_worker_is_ended(new_pool: NewPool, fp32_folder: Path) -> None:
    pool, spec = new_pool(stall_seconds=1), make_spec("onnx", fp32_folder)
    with pool.acquire(spec) as engine:
        pid = pid_of(pool)
        stream = engine.generate(PROMPT, ENDLESS)
        next(stream)
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(EngineTimeout, match="no sign of life for 1 seconds"):
            list(stream)
    with pool.acquire(spec) as engine:
        assert list(engine.generate(PROMPT, GREEDY))[-1].finish_reason is FinishReason.LENGTH


def test_a_model_that_does_not_load_in_time(new_pool: NewPool, fp32_folder: Path) -> None:
    pool = new_pool(start_seconds=0.01)
    with pytest.raises(EngineTimeout, match="Choose a smaller model"), pool.acquire(make_spec("onnx", fp32_folder)):
        pass
    assert pool.status() == []


def test_leaving_early_cancels_in_the_worker(new_pool: NewPool, fp32_folder: Path) -> None:
    pool = new_pool(options=EngineOptions(threads=1, max_batch=1))
    with pool.acquire(make_spec("onnx", fp32_folder)) as engine:
        for _ in range(5):
            stream = engine.generate(PROMPT, ENDLESS)
            next(stream)
            stream.close()  # type: ignore[attr-defined]
        (last,) = [delta for delta in engine.generate(PROMPT, GREEDY) if delta.finish_reason]
        assert last.finish_reason is FinishReason.LENGTH


def test_unloading_ends_the_process_and_those_who_listen(new_pool: NewPool, fp32_folder: Path) -> None:
    pool, spec = new_pool(), make_spec("onnx", fp32_folder)
    with pool.acquire(spec) as engine:
        pid = pid_of(pool)
        stream = engine.generate(PROMPT, ENDLESS)
        next(stream)
        pool.unload(spec.id)
        with pytest.raises(EngineError, match="unloaded"):
            list(stream)
    assert not psutil.pid_exists(pid)


def test_load_errors_keep_their_class_and_sentence(new_pool: NewPool, tmp_path: Path) -> None:
    pool = new_pool()
    missing = make_spec("onnx", tmp_path / "nowhere")
    with pytest.raises(ModelLoadError, match=r"nowhere does not exist\. Download"), pool.acquire(missing):
        pass


def test_a_worker_does_not_outlive_the_server(fp32_folder: Path) -> None:
    program = f"""
import sys, time
from pathlib import Path
from playground.engines.contract import EngineOptions
from playground.engines.pool import EnginePool
from tests.engines.conftest import make_spec
pool = EnginePool(EngineOptions(threads=1), max_models=1, idle_seconds=0, start_seconds=60, stall_seconds=30)
with pool.acquire(make_spec("onnx", Path({str(fp32_folder)!r}))):
    print(pool.status()[0].pid, flush=True)
    time.sleep(60)
"""
    root = Path(__file__).parents[2]
    server = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=root, text=True)
    with server:
        assert server.stdout is not None
        pid = int(server.stdout.readline())
        assert psutil.pid_exists(pid)
        server.kill()
    wait_until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


def test_loading_and_unloading_leaves_nothing_behind(new_pool: NewPool, convert: Callable[[str], Path]) -> None:
    pool, spec = new_pool(), make_spec("onnx", convert("fp32"))
    me = psutil.Process()
    before, threads, files = len(me.children(recursive=True)), me.num_threads(), me.num_fds()
    for _ in range(12):
        with pool.acquire(spec) as engine:
            next(iter(engine.generate(PROMPT, GREEDY)))
        pool.unload(spec.id)
    assert len(me.children(recursive=True)) == before
    wait_until(lambda: me.num_threads() <= threads + 1 and me.num_fds() <= files)


def test_the_server_process_stays_light() -> None:
    code = (
        "import sys\n"
        "from playground.engines import pool, registry, tokenizer, worker_engine\n"
        "heavy = {'torch', 'transformers', 'onnxruntime', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=True, timeout=60)


def test_the_tokenizer_needs_no_worker(new_pool: NewPool, fp32_folder: Path) -> None:
    pool, spec = new_pool(), make_spec("onnx", fp32_folder)
    tokenizer = pool.tokenizer(spec)
    assert tokenizer is not None
    assert tokenizer.encode("Xin chào") == make_tokenizer().encode("Xin chào").ids
    assert tokenizer.encode_chat([Turn("user", "Xin chào")])[0] == 1
    assert pool.tokenizer(spec) is tokenizer
    assert pool.status() == []
