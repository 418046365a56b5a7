"""Runs a graph whose attention works in place: plain onnxruntime with I/O binding, on the rows of one key-value cache.

The attention operator (GroupQueryAttention) takes the length of every row from the sum of its attention mask. The mask
therefore needs no entry per token: one number and a zero per row do, and nothing is bound anew while a batch decodes.
A run with several tokens per row (a prompt) must have a single row, so prompts are run through a view of their row.

States of layers without attention come back in a buffer of their own and are copied to their rows after each run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from playground.engines.contract import EngineOptions
from playground.engines.device_cache import DeviceCache
from playground.engines.graph_session import open_session, run_error
from playground.engines.graph_signature import CACHE_BRANCH, LOGITS_TO_KEEP, Signature, read_signature
from playground.engines.kv_cache import Cache, KVCache
from playground.engines.model_files import ModelFiles
from playground.errors import OutOfMemory


@dataclass(frozen=True, slots=True)
class BoundBatch:
    """A `runner.DecodeBatch` whose arrays are views of memory that the graph reads and writes in place."""

    run: Callable[[], None]
    ids: NDArray[np.int64]
    lengths: NDArray[np.int64]
    logits: NDArray[np.floating[Any]]

    def largest(self) -> list[int]:
        """The largest logit of every row, written to `ids`."""
        self.logits.argmax(axis=1, out=self.ids)
        tokens: list[int] = self.ids.tolist()
        return tokens


class ModelRunner:
    """The runner of graphs with GroupQueryAttention.

    Raises ModelLoadError when the graph cannot be loaded or is not of that kind; OutOfMemory when `kv_cache_mb` does
    not hold a short conversation.
    """

    def __init__(self, files: ModelFiles, options: EngineOptions, context_length: int) -> None:
        self._names = files.names
        self._session = open_session(files, options)
        self._signature = signature = read_signature(self._session, files)
        self.vocab_size = signature.vocab_size
        self.budget = signature.token_budget(options.kv_cache_mb)
        self.chunk, self.score_chunk = signature.chunk(), signature.score_chunk()
        rows = 2 * options.max_batch  # half of them keep conversations that wait for a follow-up
        self.capacity = min(context_length, self.budget)
        self.cache: Cache
        if options.device == "cpu":
            self.cache = make_cache(signature, rows, self.capacity)
        else:
            rows = options.max_batch  # nothing is backed on demand there: every row takes its full length
            self.capacity = min(context_length, self.budget // rows)
            shapes = [_pair(cache.shape) for cache in signature.caches]
            self.cache = DeviceCache(options.device, shapes, rows, self.capacity, signature.dtype)
            self.cache.states = [np.zeros((rows, *state.shape), signature.dtype) for state in signature.states]
        self._ids = np.zeros((rows, 1), np.int64)
        self._mask = np.zeros((rows, 2), np.int64)
        self._logits = np.zeros((options.max_batch, 1, self.vocab_size), signature.logits_dtype)
        self._chunk_logits = np.zeros((1, self.score_chunk, self.vocab_size), signature.logits_dtype)
        self._news = [np.zeros((options.max_batch, *state.shape), signature.dtype) for state in signature.states]
        self._batches: dict[tuple[int, int], BoundBatch] = {}

    def prefill(
        self, row: int, start: int, token_ids: Sequence[int], *, every: bool = False
    ) -> NDArray[np.floating[Any]]:
        """Compute up to `chunk` tokens of a row that already holds `start` (see `Runner`)."""
        count = len(token_ids)
        ids = np.array([token_ids], np.int64)
        mask = np.zeros((1, count + 1), np.int64)  # one longer than the tokens: a continuation, also of nothing
        mask[0, 0] = start + count
        places = self._planes(np.arange(start, start + count, dtype=np.int64)[None])
        kept = 1 if self._signature.can_keep_last and not every else count
        logits: NDArray[np.floating[Any]] = self._chunk_logits[:, :kept]
        binding = self._bind(range(row, row + 1), ids, mask, places, logits)
        self._run(binding, row, row + 1)
        return np.asarray(logits[0])

    def batch(self, first: int, count: int) -> BoundBatch:
        """The batch of the rows from `first` on; at most `max_batch` of them."""
        found = self._batches.get((first, count))
        if found is None:
            rows = slice(first, first + count)
            ids, mask, logits = self._ids[rows], self._mask[rows], self._logits[:count]
            places = self._planes(np.zeros((count, 1), np.int64))
            binding = self._bind(range(first, first + count), ids, mask, places, logits)
            run = partial(self._run, binding, first, first + count)
            if self._signature.positions:
                run = partial(self._run_placed, run, places, mask[:, 0])
            found = BoundBatch(run, ids[:, 0], mask[:, 0], logits[:, 0])
            self._batches[first, count] = found
        return found

    def _planes(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        planes = self._signature.positions
        return np.repeat(places[None], planes, axis=0) if planes > 1 else places

    def _run_placed(self, run: Callable[[], None], places: NDArray[np.int64], lengths: NDArray[np.int64]) -> None:
        places[..., 0] = lengths - 1
        run()

    def _run(self, binding: onnxruntime.IOBinding, first: int, end: int) -> None:
        try:
            self._session.run_with_iobinding(binding)
        except Exception as error:  # the library's errors have no common base
            raise run_error(error) from error
        for state, news in zip(self.cache.states, self._news, strict=True):
            state[first:end] = news[: end - first]

    def _bind(
        self,
        rows: range,
        ids: NDArray[np.int64],
        mask: NDArray[np.int64],
        places: NDArray[np.int64],
        logits: NDArray[np.floating[Any]],
    ) -> onnxruntime.IOBinding:
        names, signature, cache = self._names, self._signature, self.cache
        binding = self._session.io_binding()
        place(binding.bind_input, names.input_ids, ids)
        if signature.masked:
            place(binding.bind_input, names.attention_mask, mask)
        if signature.positions:
            place(binding.bind_input, names.position_ids, places)
        for name in signature.extras:
            place(binding.bind_input, name, EXTRAS[name][logits.shape[1] < ids.shape[1]])
        for index, carried in enumerate(signature.caches):
            address, shape = cache.place(index, rows.start, rows.stop)
            binding.bind_input(carried.past, cache.device, 0, signature.dtype, shape, address)
            binding.bind_output(carried.present, cache.device, 0, signature.dtype, shape, address)
        for carried, state, news in zip(signature.states, cache.states, self._news, strict=True):
            place(binding.bind_input, carried.past, state[rows.start : rows.stop])
            place(binding.bind_output, carried.present, news[: len(rows)])
        place(binding.bind_output, names.logits, logits)
        return binding


_BRANCH, _NO_BRANCH = np.array([True]), np.array([False])
_ALL, _LAST = np.array(0, np.int64), np.array(1, np.int64)
# What further inputs are given: where all logits are wanted, and where only the last are.
EXTRAS: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {
    CACHE_BRANCH: (_BRANCH, _BRANCH),
    LOGITS_TO_KEEP: (_ALL, _LAST),
}
FIRST_EXTRAS = EXTRAS | {CACHE_BRANCH: (_NO_BRANCH, _NO_BRANCH)}


def place(bind: Callable[..., None], name: str, array: NDArray[Any]) -> None:
    """Let the graph read or write an array of this process's memory."""
    bind(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)


def make_cache(signature: Signature, rows: int, capacity: int) -> KVCache:
    """The cache that a graph needs, in this process's memory. Raises OutOfMemory."""
    try:
        return KVCache(
            shapes=[_pair(cache.shape) for cache in signature.caches],
            rows=rows,
            capacity=capacity,
            dtype=signature.dtype,
            states=[state.shape for state in signature.states],
        )
    except OSError as error:
        raise OutOfMemory(
            "The system has no room for this model's keys and values. Lower max_batch or kv_cache_mb."
        ) from error


def _pair(shape: tuple[int, ...]) -> tuple[int, int]:
    heads, size = shape
    return heads, size
