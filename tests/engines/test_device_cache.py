"""A device's keys and values: moved as on the CPU. The CPU stands in for the device, through the same code."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from playground.engines import graph_session, model_runner
from playground.engines.contract import EngineOptions
from playground.engines.device_cache import DeviceCache
from playground.engines.onnx_engine import load_onnx_engine
from playground.errors import ModelLoadError
from tests.engines.answers import ask, check, prompt_of
from tests.engines.conftest import Reference, make_spec


def read(cache: DeviceCache, row: int) -> float:
    """The number that a row is filled with."""
    import ctypes  # noqa: PLC0415

    address, shape = cache.place(1, row, row + 1)
    values = np.ctypeslib.as_array((ctypes.c_float * int(np.prod(shape))).from_address(address))
    assert (values == values[0]).all()
    return float(values[0])


def write(cache: DeviceCache, row: int, number: float) -> None:
    import ctypes  # noqa: PLC0415

    for buffer in range(2):
        address, shape = cache.place(buffer, row, row + 1)
        np.ctypeslib.as_array((ctypes.c_float * int(np.prod(shape))).from_address(address))[:] = number


def test_rows_are_copied_and_exchanged() -> None:
    cache = DeviceCache("cpu", [(2, 8), (2, 8)], rows=3, capacity=16)
    for row in range(3):
        write(cache, row, row + 1.0)
    cache.copy(0, 2, 5)
    assert [read(cache, row) for row in range(3)] == [1, 2, 1]
    cache.swap(0, 1, 5, 9)
    assert [read(cache, row) for row in range(3)] == [2, 1, 1]
    assert cache.bytes_per_token == 2 * 2 * 8 * 4


def test_a_graph_computes_with_it(fp32_folder: Path, reference: Reference, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(graph_session.PROVIDERS, "cuda", "CPUExecutionProvider")
    monkeypatch.setattr(model_runner, "DeviceCache", lambda _, *rest: DeviceCache("cpu", *rest))
    options = EngineOptions(threads=1, max_batch=3, kv_cache_mb=16, device="cuda")
    with closing(load_onnx_engine(make_spec("onnx", fp32_folder), options, lambda _: None)) as engine:
        system = prompt_of(40)
        for prompt in (system, system + prompt_of(9), prompt_of(70), system + prompt_of(12), prompt_of(5)):
            check(reference, ask(engine, prompt, logprobs=0), prompt)
        assert ask(engine, system + prompt_of(12)).cached > 0


def test_a_missing_provider_is_told(fp32_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = EngineOptions(threads=1, device="cuda")
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        with pytest.raises(ModelLoadError, match="Install onnxruntime-gpu"):
            load_onnx_engine(make_spec("onnx", fp32_folder), options, lambda _: None)
    # Built with CUDA on a machine without it: the library falls back to the CPU with a warning.
    listed: Callable[[], Any] = lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]  # noqa: E731
    monkeypatch.setattr(onnxruntime, "get_available_providers", listed)
    with pytest.raises(ModelLoadError):
        load_onnx_engine(make_spec("onnx", fp32_folder), options, lambda _: None)
