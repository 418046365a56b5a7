"""Runs a graph whose keys and values grow: what comes out of one run goes into the next, one token longer.

Exporters write such graphs (`transformers`, optimum, many `onnx-community` repositories). The rows of the cache are
kept as for every other graph, so that scheduling and prefix reuse are the same; beside them, the rows that are at work
lie at hand in two scratch buffers per layer, from one of which the graph reads while it writes the other.

Rows of different lengths are padded on the left, under the mask, with true positions. Whether a graph bears that is
tried when it is loaded; if not, the rows of a batch are run one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from playground.engines.contract import EngineOptions
from playground.engines.graph_session import open_session, run_error
from playground.engines.graph_signature import read_signature
from playground.engines.model_files import ModelFiles
from playground.engines.model_runner import EXTRAS, FIRST_EXTRAS, BoundBatch, make_cache, place
from playground.errors import EngineError

# How far padding may move a logit, as a part of the largest one. Half precision moves them by about a thousandth.
_PADDING_TOLERANCE = 5e-3


class _Lane:
    """Neighbouring rows whose pasts are at hand, padded on the left to one `length`."""

    def __init__(self, rows: range, buffers: int) -> None:
        self.rows = rows
        self.length = 0
        self.lengths = np.zeros(len(rows), np.int64)
        self.versions: list[int] = []
        self._scratch: list[list[NDArray[Any]]] = [[np.zeros(0)] * buffers, [np.zeros(0)] * buffers]

    def past(self, buffer: int, shape: tuple[int, int], dtype: type[Any]) -> NDArray[Any]:
        """The scratch that is read next, as [rows, heads, length, size]."""
        return self._view(0, buffer, shape, self.length, dtype)

    def present(self, buffer: int, shape: tuple[int, int], dtype: type[Any], more: int) -> NDArray[Any]:
        """The scratch that is written next, `more` tokens longer."""
        return self._view(1, buffer, shape, self.length + more, dtype)

    def advance(self, more: int) -> None:
        """What was written is what is read next."""
        self._scratch.reverse()
        self.length += more
        self.lengths += more

    def _view(self, side: int, buffer: int, shape: tuple[int, int], length: int, dtype: type[Any]) -> NDArray[Any]:
        heads, size = shape
        count = len(self.rows) * heads * length * size
        held = self._scratch[side]
        if held[buffer].size < count or held[buffer].dtype != dtype:
            held[buffer] = np.empty(max(count + count // 2, 64), dtype)
        return held[buffer][:count].reshape(len(self.rows), heads, length, size)


class GrowingRunner:
    """The runner of graphs without GroupQueryAttention (see `Runner`).

    `ragged` says whether rows of different lengths run together. Raises ModelLoadError and OutOfMemory as `ModelRunner`
    does. The cache lies in this process's memory whatever the device.
    """

    def __init__(self, files: ModelFiles, options: EngineOptions, context_length: int) -> None:
        self._names = files.names
        self._session = open_session(files, options)
        self._signature = signature = read_signature(self._session, files)
        self.vocab_size = signature.vocab_size
        self.budget = signature.token_budget(options.kv_cache_mb)
        self.capacity = min(context_length, self.budget)
        self.chunk, self.score_chunk = signature.chunk(), signature.score_chunk()
        rows = 2 * options.max_batch
        self.cache = make_cache(signature, rows, self.capacity)
        self._shapes = [(shape[0], shape[1]) for shape in (carried.shape for carried in signature.caches)]
        self._lanes: list[_Lane] = []
        self._batches: dict[tuple[int, int], BoundBatch] = {}
        self._ids = np.zeros((rows, 1), np.int64)
        self._lengths = np.zeros(rows, np.int64)
        self._logits = np.zeros((options.max_batch, self.vocab_size), signature.logits_dtype)
        self.ragged = rows > 1 and self._bears_padding()

    def prefill(
        self, row: int, start: int, token_ids: Sequence[int], *, every: bool = False
    ) -> NDArray[np.floating[Any]]:
        """Compute up to `chunk` tokens of a row that already holds `start` (see `Runner`)."""
        ids = np.array([token_ids], np.int64)
        logits = self._compute(range(row, row + 1), ids, np.array([start], np.int64), every=every)
        return np.asarray(logits[0])

    def batch(self, first: int, count: int) -> BoundBatch:
        """The batch of the rows from `first` on; at most `max_batch` of them."""
        found = self._batches.get((first, count))
        if found is None:
            rows = slice(first, first + count)
            ids, lengths, logits = self._ids[rows], self._lengths[rows], self._logits[:count]
            found = BoundBatch(partial(self._step, first, ids, lengths, logits), ids[:, 0], lengths, logits)
            self._batches[first, count] = found
        return found

    def _step(
        self, first: int, ids: NDArray[np.int64], lengths: NDArray[np.int64], logits: NDArray[np.floating[Any]]
    ) -> None:
        together = self.ragged or bool((lengths == lengths[0]).all())
        width = len(ids) if together else 1
        for at in range(0, len(ids), width):
            part = slice(at, at + width)
            rows = range(first + at, first + at + width)
            logits[part] = self._compute(rows, ids[part], lengths[part] - 1)[:, -1]

    def _compute(
        self, rows: range, ids: NDArray[np.int64], starts: NDArray[np.int64], *, every: bool = False
    ) -> NDArray[np.floating[Any]]:
        """Run `ids` [rows, tokens] behind the `starts` tokens that each row holds, and keep what the rows gain."""
        lane, more = self._lane(rows, starts), ids.shape[1]
        logits = self._run(lane, ids, starts, every=every)
        for index, (buffer, shape) in enumerate(zip(self.cache.buffers, self._shapes, strict=True)):
            gained = lane.present(index, shape, self._signature.dtype, more)[:, :, lane.length :]
            for at, row in enumerate(rows):
                buffer[row, :, starts[at] : starts[at] + more] = gained[at]
        lane.advance(more)
        return logits

    def _lane(self, rows: range, starts: NDArray[np.int64]) -> _Lane:
        """The rows' pasts, gathered anew unless they are at hand as they are wanted."""
        versions = self.cache.versions[rows.start : rows.stop]
        for lane in self._lanes:
            if lane.rows == rows and lane.versions == versions and (lane.lengths == starts).all():
                return lane
        self._lanes = [lane for lane in self._lanes if rows.stop <= lane.rows.start or lane.rows.stop <= rows.start]
        lane = _Lane(rows, len(self._shapes))
        lane.versions, lane.lengths, lane.length = versions, starts.copy(), int(starts.max())
        for index, (buffer, shape) in enumerate(zip(self.cache.buffers, self._shapes, strict=True)):
            past = lane.past(index, shape, self._signature.dtype)
            for at, row in enumerate(rows):
                pad = lane.length - int(starts[at])
                past[at, :, :pad] = 0
                past[at, :, pad:] = buffer[row, :, : starts[at]]
        self._lanes.append(lane)
        return lane

    def _run(
        self, lane: _Lane, ids: NDArray[np.int64], starts: NDArray[np.int64], *, every: bool
    ) -> NDArray[np.floating[Any]]:
        signature, names, (count, more) = self._signature, self._names, ids.shape
        binding = self._session.io_binding()
        place(binding.bind_input, names.input_ids, ids)
        mask = (np.arange(lane.length + more) >= (lane.length - starts)[:, None]).astype(np.int64)
        if signature.masked:
            place(binding.bind_input, names.attention_mask, mask)
        places = starts[:, None] + np.arange(more, dtype=np.int64)
        if signature.positions:
            places = np.repeat(places[None], signature.positions, axis=0) if signature.positions > 1 else places
            place(binding.bind_input, names.position_ids, places)
        extras, last = EXTRAS if lane.length else FIRST_EXTRAS, signature.can_keep_last and not every
        for name in signature.extras:
            place(binding.bind_input, name, extras[name][last])
        for index, (carried, shape) in enumerate(zip(signature.caches, self._shapes, strict=True)):
            place(binding.bind_input, carried.past, lane.past(index, shape, signature.dtype))
            place(binding.bind_output, carried.present, lane.present(index, shape, signature.dtype, more))
        rows = slice(lane.rows.start, lane.rows.stop)
        news = [np.zeros_like(state[rows]) for state in self.cache.states]
        for carried, state, new in zip(signature.states, self.cache.states, news, strict=True):
            place(binding.bind_input, carried.past, state[rows])
            place(binding.bind_output, carried.present, new)
        logits: NDArray[np.floating[Any]] = np.empty(
            (count, 1 if last else more, self.vocab_size), signature.logits_dtype
        )
        place(binding.bind_output, names.logits, logits)
        try:
            self._session.run_with_iobinding(binding)
        except Exception as error:  # the library's errors have no common base
            raise run_error(error) from error
        for state, new in zip(self.cache.states, news, strict=True):
            state[rows] = new
        return logits

    def _bears_padding(self) -> bool:
        """Whether two rows of different lengths give together what they give alone."""
        lengths = (2, 5)
        alone, rows = [], range(2)
        try:
            for row, length in zip(rows, lengths, strict=True):
                self.prefill(row, 0, [1] * (length - 1) + [2])
                alone.append(self.prefill(row, length, [3])[-1].copy())
            together = self._compute(rows, np.full((2, 1), 3, np.int64), np.array(lengths, np.int64))[:, -1]
        except EngineError:
            return False
        finally:
            self._lanes.clear()
            for row in rows:
                self.cache.release(row)
        apart = np.abs(together - np.stack(alone)).max()
        return bool(apart <= _PADDING_TOLERANCE * np.abs(together).max())
