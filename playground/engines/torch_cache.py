"""The keys and values of every conversation, in pages, as layers of a `transformers` cache.

A row owns pages of PAGE tokens; a table says which, so memory is taken as a conversation grows and given to others when
it is forgotten (PagedAttention, https://arxiv.org/abs/2309.06180). Each layer keeps keys and values side by side in one
pool, so that reading is one gather. Page 0 belongs to nobody: shorter rows of a batch are filled up with it.

Layers with a running state (short convolutions, linear attention) keep one state per row instead. What shapes a model
needs is not worked out from its configuration, where every family has its own names, but seen from one run of two
tokens.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers.cache_utils import (
    Cache,
    CacheLayerMixin,
    DummyLayer,
    DynamicLayer,
    DynamicSlidingWindowLayer,
    LinearAttentionAndFullAttentionLayer,
    LinearAttentionLayer,
)

PAGE = 16


@dataclass(frozen=True, slots=True)
class Step:
    """Where one run reads and writes: rows `first` to `end`, which hold `past` tokens (the longest of them), and see
    `seen` afterwards. `pages` [rows, pages] is what is read, `slots` [rows * tokens] where new tokens go."""

    first: int
    end: int
    past: int
    seen: int
    pages: torch.Tensor
    slots: torch.Tensor


class PageTable:
    """Which pages each row owns. `copy`, `swap` and `release` are those of `runner.RowCache`, for the table alone."""

    def __init__(self, rows: int, capacity: int, budget: int, device: torch.device) -> None:
        self.pages = -(-budget // PAGE) + rows + 1
        self._owned: list[list[int]] = [[] for _ in range(rows)]
        self._free = list(range(1, self.pages))
        self._table = torch.zeros((rows, -(-capacity // PAGE)), dtype=torch.int64, device=device)

    def owned(self, row: int) -> list[int]:
        """The pages of a row, in order."""
        return self._owned[row]

    def reserve(self, row: int, length: int) -> None:
        """Make room for `length` tokens in a row."""
        owned = self._owned[row]
        missing = -(-length // PAGE) - len(owned)
        if missing > 0:
            taken = [heapq.heappop(self._free) for _ in range(missing)]
            self._table[row, len(owned) : len(owned) + missing] = torch.tensor(taken, device=self._table.device)
            owned += taken

    def release(self, row: int, kept: int) -> None:
        """Give back the pages of a row that its first `kept` tokens do not need."""
        owned = self._owned[row]
        needed = -(-kept // PAGE)
        for page in owned[needed:]:
            heapq.heappush(self._free, page)
        self._table[row, needed : len(owned)] = 0
        del owned[needed:]

    def swap(self, one: int, other: int) -> None:
        """Exchange two rows."""
        self._owned[one], self._owned[other] = self._owned[other], self._owned[one]
        self._table[[one, other]] = self._table[[other, one]]

    def step(self, first: int, end: int, positions: torch.Tensor, past: int, seen: int) -> Step:
        """The run that computes the tokens at `positions` [rows, tokens] of neighbouring rows."""
        table = self._table[first:end]
        slots = table.gather(1, positions // PAGE) * PAGE + positions % PAGE
        return Step(first, end, past, seen, table[:, : -(-seen // PAGE)], slots.flatten())


class AttentionRows(CacheLayerMixin):  # type: ignore[no-untyped-call]
    """Keys and values of one layer, shaped like `keys` and `values` [rows, heads, tokens, size]."""

    is_sliding = False
    step: Step

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, pages: int) -> None:
        CacheLayerMixin.__init__(self)  # type: ignore[no-untyped-call]
        self._key_shape, self._value_shape = (keys.shape[1], keys.shape[3]), (values.shape[1], values.shape[3])
        self._key_width = keys.shape[1] * keys.shape[3]
        width = self._key_width + values.shape[1] * values.shape[3]
        self._pool = _zeros(pages * PAGE, width, keys.dtype, keys.device)
        self.is_initialized = True

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Everything was made at once."""

    def update(
        self,
        key_states: torch.Tensor,
        value_states: torch.Tensor,
        *args: object,  # noqa: ARG002  the library passes what other caches need
        **kwargs: object,  # noqa: ARG002
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Store keys and values [rows, heads, tokens, size] and return those of the whole rows."""
        step, width = self.step, self._key_width
        new = torch.cat([key_states.transpose(1, 2).flatten(2), value_states.transpose(1, 2).flatten(2)], dim=2)
        self._pool.index_copy_(0, step.slots, new.flatten(0, 1))
        rows, count = step.pages.shape
        read = self._pool.view(-1, PAGE * self._pool.shape[1]).index_select(0, step.pages.flatten())
        read = read.view(rows, count * PAGE, -1)[:, : step.seen]
        keys = read[..., :width].view(rows, step.seen, *self._key_shape).transpose(1, 2)
        values = read[..., width:].view(rows, step.seen, *self._value_shape).transpose(1, 2)
        return keys, values

    def copy_pages(self, source: list[int], target: list[int]) -> None:
        """Copy whole pages."""
        pages = self._pool.view(-1, PAGE, self._pool.shape[1])
        pages[target] = pages[source]

    def wipe_pages(self, pages: list[int]) -> None:
        """Make numbers of whatever is in some pages."""
        self._pool.view(-1, PAGE, self._pool.shape[1])[pages] = 0

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:  # noqa: ARG002  every token is seen
        """Length and first position of what `update` returns."""
        return self.step.seen, 0

    def get_seq_length(self) -> int:
        """Tokens before this run."""
        return self.step.past

    def get_max_length(self) -> int:
        """No limit of its own."""
        return -1


class StateRows(LinearAttentionLayer):
    """The running states of one layer, one per row; a run sees those of its rows only."""

    def __init__(self, seen: LinearAttentionLayer, rows: int) -> None:
        super().__init__(number_of_states=seen.number_of_states)
        self.device, self.dtype = seen.device, seen.dtype
        self.conv_kernel_size = dict(seen.conv_kernel_size)
        self.is_conv_states_initialized = dict(seen.is_conv_states_initialized)
        self.is_recurrent_states_initialized = dict(seen.is_recurrent_states_initialized)
        self._all_conv = _per_row(seen.conv_states, rows)
        self._all_recurrent = _per_row(seen.recurrent_states, rows)

    def enter(self, step: Step) -> None:
        """Show the states of the rows that are computed now; a row without tokens has none yet."""
        for shown, kept in ((self.conv_states, self._all_conv), (self.recurrent_states, self._all_recurrent)):
            shown.update({index: state[step.first : step.end] for index, state in kept.items()})
        self.has_previous_state = dict.fromkeys(self.has_previous_state, step.past > 0)

    @property
    def states(self) -> list[torch.Tensor]:
        """All states, rows first."""
        return [*self._all_conv.values(), *self._all_recurrent.values()]


class HybridRows(StateRows, AttentionRows):  # type: ignore[override, no-untyped-call]  # so does the library
    """A layer with both attention and a running state."""

    def __init__(self, seen: LinearAttentionAndFullAttentionLayer, rows: int, pages: int) -> None:
        StateRows.__init__(self, seen, rows)
        AttentionRows.__init__(self, *_held(seen), pages)


class TorchRows(Cache):
    """A `runner.RowCache` that is a `transformers` cache. Call `enter` before every run of the model.

    Raises TypeError for a kind of layer that is not known here.
    """

    def __init__(self, seen: Cache, *, rows: int, capacity: int, budget: int, device: torch.device) -> None:
        self.rows = rows
        self.table = PageTable(rows, capacity, budget, device)
        super().__init__(layers=[_rows_like(layer, rows, self.table.pages) for layer in seen.layers])
        self._attention = [layer for layer in self.layers if isinstance(layer, AttentionRows)]
        self._states = [layer for layer in self.layers if isinstance(layer, StateRows)]
        self.divisible = not self._states

    def enter(self, step: Step) -> None:
        """What the next run reads and writes."""
        for layer in self._attention:
            layer.step = step
        for state in self._states:
            state.enter(step)

    def copy(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` tokens of a row over those of another."""
        self.table.reserve(target, length)
        count = -(-length // PAGE)
        for layer in self._attention:
            layer.copy_pages(self.table.owned(source)[:count], self.table.owned(target)[:count])
        for state in self._all_states():
            state[target] = state[source]

    def swap(self, one: int, other: int, length_one: int, length_other: int) -> None:
        """Exchange two rows; pages stay where they are."""
        del length_one, length_other
        self.table.swap(one, other)
        for state in self._all_states():
            state[[one, other]] = state[[other, one]]

    def release(self, row: int, kept: int = 0) -> None:
        """Give back the pages behind the first `kept` tokens, to be used by other rows."""
        self.table.release(row, kept)

    def wipe(self, row: int) -> None:
        """Make numbers of what a row holds: masked values are multiplied by zero, which does not make them vanish."""
        for layer in self._attention:
            layer.wipe_pages(self.table.owned(row))

    def _all_states(self) -> list[torch.Tensor]:
        return [state for layer in self._states for state in layer.states]


def token_bytes(seen: Cache) -> int:
    """Bytes of keys and values per token, from a cache that holds some."""
    layers = [layer for layer in seen.layers if isinstance(layer, CacheLayerMixin)]
    return sum(part.shape[1] * part.shape[3] * part.dtype.itemsize for layer in layers for part in _held(layer))


def _held(layer: CacheLayerMixin) -> tuple[torch.Tensor, torch.Tensor]:
    if layer.keys is None or layer.values is None:
        raise TypeError("a layer of attention kept no keys and values")
    return layer.keys, layer.values


def _zeros(count: int, width: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Zeros [count, width]; on the CPU the system backs only what is written, which `torch.zeros` would not let it."""
    if device.type != "cpu":
        return torch.zeros((count, width), dtype=dtype, device=device)
    return torch.from_numpy(np.zeros((count, width * dtype.itemsize), np.uint8)).view(dtype)


def _attention(seen: DynamicLayer, rows: int, pages: int) -> AttentionRows:
    del rows
    return AttentionRows(*_held(seen), pages)


def _state(seen: LinearAttentionLayer, rows: int, pages: int) -> StateRows:
    del pages
    return StateRows(seen, rows)


def _nothing(seen: DummyLayer, rows: int, pages: int) -> DummyLayer:
    del rows, pages
    return seen


_KINDS: dict[type, Callable[[Any, int, int], Any]] = {
    DynamicLayer: _attention,
    DynamicSlidingWindowLayer: _attention,  # the mask forgets what lies outside of the window
    LinearAttentionLayer: _state,
    LinearAttentionAndFullAttentionLayer: HybridRows,
    DummyLayer: _nothing,
}


def _rows_like(seen: object, rows: int, pages: int) -> Any:
    kind = _KINDS.get(type(seen))
    if kind is None:
        raise TypeError(f"layers of the kind {type(seen).__name__} are not known here")
    return kind(seen, rows, pages)


def _per_row(states: dict[int, torch.Tensor | None], rows: int) -> dict[int, torch.Tensor]:
    return {
        index: torch.zeros((rows, *state.shape[1:]), dtype=state.dtype, device=state.device)
        for index, state in states.items()
        if state is not None
    }
