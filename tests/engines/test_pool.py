"""The pool: sharing, waiting in line, eviction, failures, ends. Workers have their own file."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from playground.catalog.spec import ModelSpec
from playground.domain import Loading, Queued, SamplingParams, Stage
from playground.engines import pool as pool_module
from playground.engines.contract import EngineOptions, Progress, Prompt, Tokenizer, Turn
from playground.engines.echo_engine import EchoEngine
from playground.engines.pool import EnginePool
from playground.engines.registry import ENGINES, EngineKind
from playground.errors import Cancelled, EngineError, ModelLoadError, OutOfMemory
from tests import oracle
from tests.engines.conftest import make_spec

NewPool = Callable[..., EnginePool]
A, B, C = (make_spec("echo", name=name) for name in "abc")
PROMPT = Prompt((Turn("user", "hello"),))


def answer(pool: EnginePool, spec: ModelSpec) -> str:
    with pool.acquire(spec) as engine:
        return "".join(delta.text for delta in engine.generate(PROMPT, SamplingParams()))


def loaded(pool: EnginePool) -> list[str]:
    return [line.model_id for line in pool.status()]


def test_a_model_is_loaded_once_and_shared(new_pool: NewPool) -> None:
    pool = new_pool()
    with pool.acquire(A) as first, pool.acquire(A) as second:
        assert first is second
        (line,) = pool.status()
        assert (line.model_id, line.state, line.pid, line.active) == ("a", "ready", None, 2)
    assert pool.status()[0].active == 0
    assert answer(pool, A) == "hello"


def test_the_model_unused_for_longest_makes_room(new_pool: NewPool) -> None:
    pool = new_pool(max_models=2)
    for spec in (A, B, A, C):
        answer(pool, spec)
    assert loaded(pool) == ["a", "c"]


def test_waiting_in_line_when_every_place_is_in_use(new_pool: NewPool) -> None:
    pool = new_pool(max_models=1)
    news: dict[str, list[object]] = {"b": [], "c": []}
    done: list[str] = []

    def ask(spec: ModelSpec) -> None:
        with pool.acquire(spec, news[spec.id].append):
            done.append(spec.id)

    with pool.acquire(A):
        threads = [threading.Thread(target=ask, args=(spec,)) for spec in (B, C)]
        for thread, model_id in zip(threads, "bc", strict=True):
            thread.start()
            while not news[model_id]:
                time.sleep(0.005)
        assert done == []
    for thread in threads:
        thread.join(10)
    assert done == ["b", "c"]
    assert news["b"][0] == Queued(1)
    assert news["c"][0] == Queued(2)


def test_newcomers_do_not_overtake_for_ever(new_pool: NewPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "PATIENCE_SECONDS", 0.0)
    pool = new_pool(max_models=1)
    order: list[str] = []
    heard: list[object] = []

    def ask(spec: ModelSpec) -> None:
        with pool.acquire(spec, heard.append):
            order.append(spec.id)

    with pool.acquire(A):
        late = threading.Thread(target=ask, args=(B,))
        late.start()
        while not heard:
            time.sleep(0.005)
        newcomer = threading.Thread(target=ask, args=(A,))
        newcomer.start()
        while len(heard) < 2:
            time.sleep(0.005)
        assert order == []
    late.join(10)
    newcomer.join(10)
    assert order == ["b", "a"]


def test_giving_up_while_waiting(new_pool: NewPool) -> None:
    pool = new_pool(max_models=1)
    with pool.acquire(A):
        with pytest.raises(Cancelled), pool.acquire(B, cancelled=lambda: True):
            raise AssertionError("never reached")
        assert answer(pool, A) == "hello"
    assert answer(pool, B) == "hello"


def test_loading_stages_are_heard_by_everybody(new_pool: NewPool, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()

    def create(spec: ModelSpec, options: EngineOptions, progress: Progress) -> EchoEngine:
        progress(Loading(Stage.WARMING_UP, 0.5))
        assert go.wait(10)
        return EchoEngine()

    monkeypatch.setitem(ENGINES, "echo", EngineKind(create, in_worker=False))
    pool = new_pool()
    heard: list[list[object]] = [[], []]

    def ask(index: int) -> None:
        with pool.acquire(A, heard[index].append):
            pass

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    while not all(Loading(Stage.WARMING_UP, 0.5) in news for news in heard):
        time.sleep(0.005)
    assert pool.status()[0].state == "starting"
    go.set()
    for thread in threads:
        thread.join(10)
    assert pool.status()[0].state == "ready"


def test_a_model_that_cannot_be_loaded_fails_for_all_and_is_tried_again(
    new_pool: NewPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[EngineError] = [ModelLoadError("damaged"), OutOfMemory("too large")]

    def create(spec: ModelSpec, options: EngineOptions, progress: Progress) -> EchoEngine:
        if failures:
            raise failures.pop(0)
        return EchoEngine()

    monkeypatch.setitem(ENGINES, "echo", EngineKind(create, in_worker=False))
    pool = new_pool()
    with pytest.raises(ModelLoadError, match="damaged"):
        answer(pool, A)
    assert pool.status() == []
    with pytest.raises(OutOfMemory, match="too large"):
        answer(pool, A)
    assert answer(pool, A) == "hello"


def test_an_unknown_engine_is_named(new_pool: NewPool) -> None:
    pool = new_pool()
    with pytest.raises(ModelLoadError, match=r"named abacus; there are: echo"):
        answer(pool, make_spec("abacus"))


def test_unused_models_are_unloaded(new_pool: NewPool) -> None:
    pool = new_pool(idle_seconds=0.05)
    answer(pool, A)
    limit = time.monotonic() + 10
    while pool.status() and time.monotonic() < limit:
        time.sleep(0.01)
    assert pool.status() == []


def test_unload_and_close(new_pool: NewPool) -> None:
    pool = new_pool()
    with pool.acquire(A) as engine:
        pool.unload("a")
        pool.unload("nobody")
        with pytest.raises(EngineError, match="closed"):
            engine.generate(PROMPT, SamplingParams())
    assert pool.status() == []
    pool.close()
    pool.close()
    with pytest.raises(EngineError, match="shutting down"):
        answer(pool, A)


def test_leaving_with_an_error_gives_the_engine_back(new_pool: NewPool) -> None:
    pool = new_pool()
    with pytest.raises(KeyError), pool.acquire(A):
        raise KeyError
    assert pool.status()[0].active == 0


def test_echo_tokenises_elsewhere(new_pool: NewPool) -> None:
    assert new_pool().tokenizer(A) is None


def test_a_model_that_was_fetched_anew_is_read_and_loaded_anew(
    new_pool: NewPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path | None] = []
    made: list[Path | None] = []

    def tokenizer(spec: ModelSpec) -> Tokenizer:
        read.append(spec.path)
        return oracle.make_tokenizer([])

    def create(spec: ModelSpec, _options: EngineOptions, _progress: Progress) -> EchoEngine:
        made.append(spec.path)
        return EchoEngine()

    monkeypatch.setitem(ENGINES, "echo", EngineKind(create, in_worker=False, tokenizer=tokenizer))
    pool = new_pool()
    old, new = (replace(A, path=Path(name)) for name in ("old", "new"))
    first = pool.tokenizer(old)
    assert pool.tokenizer(old) is first
    assert pool.tokenizer(new) is not first
    for spec in (old, old, new, new):
        assert answer(pool, spec) == "hello"
    assert read == made == [Path("old"), Path("new")]
    assert loaded(pool) == ["a"]
