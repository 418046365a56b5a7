"""The keys and values of every conversation that is, or was lately, being answered.

One buffer per layer for keys and one for values, of shape [rows, heads, capacity, head_size]; a conversation owns a
row. The graph reads and writes them in place. The buffers are reserved at full size, but the system backs only the
pages that were written: a conversation costs its own length, not the capacity, and `release` gives its pages back.
The idea is vAttention's (https://arxiv.org/abs/2405.04437), with the CPU's page tables.
"""

from __future__ import annotations

import math
import mmap

import numpy as np
from numpy.typing import DTypeLike, NDArray

Buffer = NDArray[np.generic]


class KVCache:
    """Buffers for `rows` conversations of up to `capacity` tokens. `buffers` holds key, value, key, … by layer."""

    def __init__(
        self, *, layers: int, rows: int, heads: int, capacity: int, head_size: int, dtype: DTypeLike = np.float32
    ) -> None:
        kind = np.dtype(dtype)
        page_tokens = mmap.PAGESIZE // math.gcd(mmap.PAGESIZE, head_size * kind.itemsize)
        self.rows = rows
        self.capacity = -(-capacity // page_tokens) * page_tokens
        self.bytes_per_token = 2 * layers * heads * head_size * kind.itemsize
        self._token_bytes = head_size * kind.itemsize
        self._head_bytes = self.capacity * self._token_bytes
        self._row_bytes = heads * self._head_bytes
        self._memory = [_reserve(rows * self._row_bytes) for _ in range(2 * layers)]
        shape = (rows, heads, self.capacity, head_size)
        self.buffers: list[Buffer] = [np.frombuffer(memory, kind).reshape(shape) for memory in self._memory]

    def copy(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` tokens of a row over those of another."""
        for buffer in self.buffers:
            buffer[target, :, :length] = buffer[source, :, :length]

    def swap(self, one: int, other: int, length_one: int, length_other: int) -> None:
        """Exchange two rows that hold so many tokens."""
        if length_one < length_other:
            one, other, length_one, length_other = other, one, length_other, length_one
        for buffer in self.buffers:
            kept = buffer[other, :, :length_other].copy()
            buffer[other, :, :length_one] = buffer[one, :, :length_one]
            buffer[one, :, :length_other] = kept

    def release(self, row: int, kept: int = 0) -> None:
        """Forget a row's tokens behind the first `kept` and give their pages back, where the system can do that."""
        advice = getattr(mmap, "MADV_DONTNEED", None)
        if advice is None:
            return
        used = -(-kept * self._token_bytes // mmap.PAGESIZE) * mmap.PAGESIZE
        if used == 0:
            spans = [(row * self._row_bytes, self._row_bytes)]
        else:
            heads = range(row * self._row_bytes, (row + 1) * self._row_bytes, self._head_bytes)
            spans = [(head + used, self._head_bytes - used) for head in heads if used < self._head_bytes]
        for memory in self._memory:
            for start, length in spans:
                memory.madvise(advice, start, length)


def _reserve(size: int) -> mmap.mmap:
    flags = getattr(mmap, "MAP_PRIVATE", 0) | getattr(mmap, "MAP_ANONYMOUS", 0) | getattr(mmap, "MAP_NORESERVE", 0)
    memory = mmap.mmap(-1, size, flags=flags) if flags else mmap.mmap(-1, size)
    # A huge page would back two megabytes for the first token of every row and head.
    small_pages = getattr(mmap, "MADV_NOHUGEPAGE", None)
    if small_pages is not None:
        memory.madvise(small_pages)
    return memory
