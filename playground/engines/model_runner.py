"""Runs the graph: plain onnxruntime with I/O binding, on the rows of one key-value cache.

The attention operator (GroupQueryAttention) takes the length of every row from the sum of its attention mask. The mask
therefore needs no entry per token: one number and a zero per row do, and nothing is bound anew while a batch decodes.
A run with several tokens per row (a prompt) must have a single row, so prompts are run through a view of their row.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from playground.engines.contract import EngineOptions
from playground.engines.kv_cache import KVCache
from playground.engines.model_files import ModelFiles
from playground.errors import EngineError, ModelLoadError, OutOfMemory

_LOGITS_BYTES = 32 * 2**20
_MAX_CHUNK = 256
_MIN_TOKENS = 32
_MAX_THREADS = 8
_DTYPES: dict[str, type[np.floating[Any]]] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


@dataclass(frozen=True, slots=True)
class DecodeBatch:
    """The next token for each of some neighbouring rows, again and again.

    Write the last tokens to `ids` and the lengths including them to `lengths`, call `run`, read `logits`
    [rows, vocabulary]. All three are views of memory that the graph reads and writes in place.
    """

    run: Callable[[], None]
    ids: NDArray[np.int64]
    lengths: NDArray[np.int64]
    logits: NDArray[np.floating[Any]]


class ModelRunner:
    """A loaded graph with its key-value cache. Used from one thread at a time.

    `capacity` is the longest conversation in tokens, `budget` how many tokens all conversations may hold together,
    `chunk` how many tokens `prefill` takes at once.

    Raises ModelLoadError when the graph cannot be loaded or is not of the builder's kind; OutOfMemory when
    `kv_cache_mb` does not hold a short conversation.
    """

    def __init__(self, files: ModelFiles, options: EngineOptions, context_length: int) -> None:
        self._files = files
        self._session = _open(files, options)
        dtype = self._check_signature()
        layers = len(files.past_keys)
        token_bytes = 2 * layers * files.kv_heads * files.head_size * np.dtype(dtype).itemsize
        self.budget = options.kv_cache_mb * 2**20 // token_bytes
        if self.budget < _MIN_TOKENS:
            raise OutOfMemory(
                f"{options.kv_cache_mb} MiB for keys and values hold only {self.budget} tokens of this model. "
                "Raise kv_cache_mb or choose a smaller model."
            )
        self.capacity = min(context_length, self.budget)
        self.chunk = max(16, min(_MAX_CHUNK, _LOGITS_BYTES // (4 * self.vocab_size) // 16 * 16))
        rows = 2 * options.max_batch  # half of them keep conversations that wait for a follow-up
        try:
            self.cache = KVCache(
                layers=layers,
                rows=rows,
                heads=files.kv_heads,
                capacity=self.capacity,
                head_size=files.head_size,
                dtype=dtype,
            )
        except OSError as error:
            raise OutOfMemory(
                "The system has no room for this model's keys and values. Lower max_batch or kv_cache_mb."
            ) from error
        self._ids = np.zeros((rows, 1), np.int64)
        self._mask = np.zeros((rows, 2), np.int64)
        self._logits = np.zeros((options.max_batch, 1, self.vocab_size), self._logits_dtype)
        self._chunk_logits = np.zeros((1, self.chunk, self.vocab_size), self._logits_dtype)
        self._batches: dict[tuple[int, int], DecodeBatch] = {}

    def prefill(self, row: int, start: int, token_ids: Sequence[int]) -> NDArray[np.floating[Any]]:
        """Compute up to `chunk` tokens of a row that already holds `start` tokens.

        Returns the logits after each of them [tokens, vocabulary], valid until the next run. Raises EngineError.
        """
        count = len(token_ids)
        ids = np.array([token_ids], np.int64)
        mask = np.zeros((1, count + 1), np.int64)  # one longer than the tokens: a continuation, also of nothing
        mask[0, 0] = start + count
        logits: NDArray[np.floating[Any]] = self._chunk_logits[:, :count]
        self._run(self._bind(row, row + 1, ids, mask, logits))
        return np.asarray(logits[0])

    def batch(self, first: int, count: int) -> DecodeBatch:
        """The batch of the rows from `first` on; at most `max_batch` of them."""
        found = self._batches.get((first, count))
        if found is None:
            rows = slice(first, first + count)
            ids, mask, logits = self._ids[rows], self._mask[rows], self._logits[:count]
            binding = self._bind(first, first + count, ids, mask, logits)
            found = DecodeBatch(partial(self._run, binding), ids[:, 0], mask[:, 0], logits[:, 0])
            self._batches[first, count] = found
        return found

    def _run(self, binding: onnxruntime.IOBinding) -> None:
        try:
            self._session.run_with_iobinding(binding)
        except Exception as error:  # the library's errors have no common base
            raise _run_error(error) from error

    def _bind(
        self,
        first: int,
        end: int,
        ids: NDArray[np.int64],
        mask: NDArray[np.int64],
        logits: NDArray[np.floating[Any]],
    ) -> onnxruntime.IOBinding:
        files, binding = self._files, self._session.io_binding()

        def place(bind: Callable[..., None], name: str, array: NDArray[Any]) -> None:
            bind(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)

        place(binding.bind_input, files.input_ids, ids)
        place(binding.bind_input, files.attention_mask, mask)
        names = zip(files.past_keys, files.past_values, files.present_keys, files.present_values, strict=True)
        for layer, (past_key, past_value, present_key, present_value) in enumerate(names):
            keys, values = (self.cache.buffers[2 * layer + which][first:end] for which in (0, 1))
            place(binding.bind_input, past_key, keys)
            place(binding.bind_input, past_value, values)
            place(binding.bind_output, present_key, keys)
            place(binding.bind_output, present_value, values)
        place(binding.bind_output, files.logits, logits)
        return binding

    def _check_signature(self) -> type[np.floating[Any]]:
        """The cache's element type; raises ModelLoadError when inputs and outputs are not what the folder says."""
        files = self._files
        inputs = {item.name: item for item in self._session.get_inputs()}
        outputs = {item.name: item for item in self._session.get_outputs()}
        expected = {files.input_ids, files.attention_mask, *files.past_keys, *files.past_values}
        produced = {files.logits, *files.present_keys, *files.present_values}
        if inputs.keys() != expected or outputs.keys() != produced:
            raise _unfit(files, "its inputs and outputs are not those of a text decoder")
        keys, logits = inputs[files.past_keys[0]], outputs[files.logits]
        if keys.type not in _DTYPES or logits.type not in _DTYPES:
            raise _unfit(files, f"it computes in {keys.type}")
        if keys.shape[1] != files.kv_heads or not isinstance(logits.shape[-1], int):
            raise _unfit(files, "its shapes are not those of genai_config.json")
        self.vocab_size = int(logits.shape[-1])
        self._logits_dtype = _DTYPES[logits.type]
        return _DTYPES[keys.type]


def _open(files: ModelFiles, options: EngineOptions) -> onnxruntime.InferenceSession:
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads or default_threads()
    settings.inter_op_num_threads = 1
    settings.log_severity_level = 4  # errors come back as exceptions
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(files.graph, settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library's errors have no common base
        if _is_memory(error):
            raise OutOfMemory(
                f"There is not enough memory to load {files.folder.name}. Choose a smaller model."
            ) from error
        raise _unfit(files, "onnxruntime cannot load it") from error


def default_threads() -> int:
    """As many threads as this process may use cores, up to eight: decoding is bound by memory beyond that."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _MAX_THREADS)


def _unfit(files: ModelFiles, reason: str) -> ModelLoadError:
    return ModelLoadError(
        f"The graph {files.graph.name} of the model folder {files.folder.name} does not run here: {reason}. "
        "Convert the model again with onnxruntime_genai.models.builder."
    )


def _is_memory(error: Exception) -> bool:
    text = str(error).lower()
    return isinstance(error, MemoryError) or "bad_alloc" in text or "failed to allocate memory" in text


def _run_error(error: Exception) -> EngineError:
    if _is_memory(error):
        return OutOfMemory("The model ran out of memory while answering. Start a new conversation or a smaller model.")
    return EngineError("The model's graph failed while answering. Try again, or choose another model.")
