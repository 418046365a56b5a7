"""The keys and values of every conversation that is, or was lately, being answered.

One buffer per layer for keys and one for values, of shape [rows, heads, capacity, head_size]; a conversation owns a
row. The graph reads and writes them in place. The buffers are reserved at full size, but the system backs only the
pages that were written: a conversation costs its own length, not the capacity, and `release` gives its pages back.
The idea is vAttention's (https://arxiv.org/abs/2405.04437), with the CPU's page tables.

Layers without attention (convolutions, linear attention) keep a state of one size instead, whatever the length. It
belongs to the last token: such a row can be continued or copied as a whole, and not be cut.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

Buffer = NDArray[Any]


class Cache(Protocol):
    """Rows of keys, values and states, wherever they lie; a conversation owns a row.

    `states` are [rows, ...] in this process's memory. `versions` counts, per row, how often somebody else than the
    graph changed it.
    """

    device: str
    rows: int
    capacity: int
    bytes_per_token: int
    states: list[Buffer]
    versions: list[int]

    @property
    def divisible(self) -> bool:
        """Whether the first tokens of a row can be kept without the others."""
        ...

    def place(self, buffer: int, first: int, end: int) -> tuple[int, tuple[int, ...]]:
        """Where the rows from `first` to before `end` of one buffer lie: address and shape."""
        ...

    def copy(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` tokens of a row over those of another."""
        ...

    def swap(self, one: int, other: int, length_one: int, length_other: int) -> None:
        """Exchange two rows that hold so many tokens."""
        ...

    def release(self, row: int, kept: int = 0) -> None:
        """Forget a row's tokens behind the first `kept`."""
        ...


class KVCache:
    """Buffers in this process's memory for `rows` conversations of up to `capacity` tokens (see `Cache`).

    `shapes` has (heads, head_size) for every buffer: key, value, key, ... by layer. `states` are the shapes of one
    row's states.
    """

    def __init__(
        self,
        *,
        shapes: Sequence[tuple[int, int]],
        rows: int,
        capacity: int,
        dtype: DTypeLike = np.float32,
        states: Sequence[tuple[int, ...]] = (),
    ) -> None:
        kind = np.dtype(dtype)
        pages = [mmap.PAGESIZE // math.gcd(mmap.PAGESIZE, size * kind.itemsize) for _, size in shapes]
        page_tokens = math.lcm(*pages)
        self.device = "cpu"
        self.rows = rows
        self.capacity = -(-capacity // page_tokens) * page_tokens
        self.bytes_per_token = sum(heads * size for heads, size in shapes) * kind.itemsize
        self.versions = [0] * rows
        self._shapes = [(heads, size * kind.itemsize) for heads, size in shapes]
        self._memory = [_reserve(rows * heads * self.capacity * token) for heads, token in self._shapes]
        self.buffers: list[Buffer] = [
            np.frombuffer(memory, kind).reshape(rows, heads, self.capacity, size)
            for memory, (heads, size) in zip(self._memory, shapes, strict=True)
        ]
        self.states: list[Buffer] = [np.zeros((rows, *shape), kind) for shape in states]

    @property
    def divisible(self) -> bool:
        """Whether the first tokens of a row can be kept without the others."""
        return not self.states

    def place(self, buffer: int, first: int, end: int) -> tuple[int, tuple[int, ...]]:
        """Where the rows from `first` to before `end` of one buffer lie: address and shape."""
        view = self.buffers[buffer][first:end]
        return view.ctypes.data, view.shape

    def copy(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` tokens of a row over those of another."""
        self.versions[target] += 1
        for buffer in self.buffers:
            buffer[target, :, :length] = buffer[source, :, :length]
        for state in self.states:
            state[target] = state[source]

    def swap(self, one: int, other: int, length_one: int, length_other: int) -> None:
        """Exchange two rows that hold so many tokens."""
        if length_one < length_other:
            one, other, length_one, length_other = other, one, length_other, length_one
        self.versions[one] += 1
        self.versions[other] += 1
        for buffer in self.buffers:
            kept = buffer[other, :, :length_other].copy()
            buffer[other, :, :length_one] = buffer[one, :, :length_one]
            buffer[one, :, :length_other] = kept
        for state in self.states:
            state[[one, other]] = state[[other, one]]

    def release(self, row: int, kept: int = 0) -> None:
        """Forget a row's tokens behind the first `kept` and give their pages back, where the system can do that."""
        self.versions[row] += 1
        for state in self.states:
            state[row] = 0
        advice = getattr(mmap, "MADV_DONTNEED", None)
        if advice is None:
            return
        for memory, (heads, token_bytes) in zip(self._memory, self._shapes, strict=True):
            head_bytes = self.capacity * token_bytes
            start = row * heads * head_bytes
            used = -(-kept * token_bytes // mmap.PAGESIZE) * mmap.PAGESIZE
            if used == 0:
                memory.madvise(advice, start, heads * head_bytes)
                continue
            for head in range(start, start + heads * head_bytes, head_bytes):
                if used < head_bytes:
                    memory.madvise(advice, head + used, head_bytes - used)


def _reserve(size: int) -> mmap.mmap:
    flags = getattr(mmap, "MAP_PRIVATE", 0) | getattr(mmap, "MAP_ANONYMOUS", 0) | getattr(mmap, "MAP_NORESERVE", 0)
    memory = mmap.mmap(-1, size, flags=flags) if flags else mmap.mmap(-1, size)
    # A huge page would back two megabytes for the first token of every row and head.
    small_pages = getattr(mmap, "MADV_NOHUGEPAGE", None)
    if small_pages is not None:
        memory.madvise(small_pages)
    return memory
