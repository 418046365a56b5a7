"""What is particular to the ONNX engine: memory that is reserved, and quantised folders."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from playground.engines import kv_cache
from playground.engines.contract import EngineOptions
from playground.engines.local_engine import LocalEngine
from playground.engines.onnx_engine import load_onnx_engine
from playground.errors import OutOfMemory
from tests.engines.answers import NewEngine, ask, prompt_of
from tests.engines.conftest import make_spec


@pytest.fixture
def new_engine(fp32_folder: Path) -> Iterator[NewEngine]:
    engines: list[LocalEngine] = []

    def make(folder: Path = fp32_folder, **changes: int) -> LocalEngine:
        options = EngineOptions(**({"threads": 1, "max_batch": 4, "kv_cache_mb": 64} | changes))
        engines.append(load_onnx_engine(make_spec("onnx", folder), options, lambda _: None))
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()


def test_memory_limits_the_context(
    new_engine: NewEngine, convert: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    bytes_per_token = 2 * 2 * 2 * 16 * 4
    engine = new_engine(kv_cache_mb=1)
    assert engine.capabilities.context_length == min(512, 2**20 // bytes_per_token)
    spec = make_spec("onnx", convert("fp32"))
    with pytest.raises(OutOfMemory, match="Raise kv_cache_mb"):
        load_onnx_engine(spec, EngineOptions(threads=1, kv_cache_mb=0), lambda _: None)

    def refuse(size: int) -> None:
        raise OSError(errno.ENOMEM, "no memory")

    monkeypatch.setattr(kv_cache, "_reserve", refuse)
    with pytest.raises(OutOfMemory, match="Lower max_batch"):
        load_onnx_engine(spec, EngineOptions(threads=1), lambda _: None)


@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_quantised_folders_run(new_engine: NewEngine, convert: Callable[[str], Path], precision: str) -> None:
    engine = new_engine(convert(precision))
    prompts = [prompt_of(length) for length in (5, 30, 64)]
    alone = [ask(engine, prompt, logprobs=0).tokens for prompt in prompts]
    with ThreadPoolExecutor(3) as threads:
        together = list(threads.map(lambda prompt: ask(engine, prompt, logprobs=0).tokens, prompts))
    assert together == alone
