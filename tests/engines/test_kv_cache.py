"""The key-value cache: rows are copied, swapped and given back, and cost what they hold."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from playground.engines.kv_cache import KVCache


def resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


def make_cache(layers: int, rows: int, heads: int, capacity: int, head_size: int, **more: Any) -> KVCache:
    return KVCache(shapes=[(heads, head_size)] * (2 * layers), rows=rows, capacity=capacity, **more)


def filled(**changes: int) -> KVCache:
    cache = make_cache(**({"layers": 2, "rows": 4, "heads": 2, "capacity": 100, "head_size": 16} | changes))
    for number, buffer in enumerate(cache.buffers):
        for row in range(cache.rows):
            buffer[row] = 10 * number + row + 1
    return cache


def test_shape_and_size() -> None:
    cache = make_cache(layers=3, rows=2, heads=2, capacity=100, head_size=16)
    assert cache.bytes_per_token == 3 * 2 * 2 * 16 * 4
    assert len(cache.buffers) == 6
    assert cache.capacity >= 100
    assert cache.buffers[0].shape == (2, 2, cache.capacity, 16)
    half = make_cache(layers=3, rows=2, heads=2, capacity=100, head_size=16, dtype=np.float16)
    assert half.bytes_per_token == cache.bytes_per_token // 2


def test_copy_and_swap() -> None:
    cache = filled()
    cache.copy(0, 3, 30)
    assert (cache.buffers[1][3, :, :30] == 11).all()
    assert (cache.buffers[1][3, :, 30:] == 14).all()
    for one, other in ((1, 2), (2, 1)):
        cache = filled()
        cache.swap(one, other, 20, 50)
        for number, buffer in enumerate(cache.buffers):
            assert (buffer[one, :, :50] == 10 * number + other + 1).all()
            assert (buffer[other, :, :20] == 10 * number + one + 1).all()


@pytest.mark.skipif(not hasattr(__import__("mmap"), "MADV_DONTNEED"), reason="the system cannot give pages back")
def test_release_touches_one_row_only() -> None:
    cache = filled(capacity=2048)
    cache.release(1)
    cache.release(2, kept=100)
    for number, buffer in enumerate(cache.buffers):
        assert (buffer[0] == 10 * number + 1).all()
        assert (buffer[1] == 0).all()
        assert (buffer[2, :, :100] == 10 * number + 3).all()
        assert (buffer[2, :, 200:] == 0).all()
        assert (buffer[3] == 10 * number + 4).all()


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_a_conversation_costs_its_own_length() -> None:
    before = resident()
    cache = make_cache(layers=4, rows=8, heads=4, capacity=16384, head_size=64)
    assert resident() - before < 2**20
    for buffer in cache.buffers:
        buffer[3, :, :1000] = 1
    grown = resident() - before
    assert 0.9 < grown / (1000 * cache.bytes_per_token) < 1.2
    cache.release(3)
    assert resident() - before < 2 * 2**20
