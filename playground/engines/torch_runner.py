"""Runs a `transformers` model with PyTorch, on CUDA or the CPU, on the rows of one paged cache: a `runner.Runner`.

The continuous batching that `transformers` brings was tried first (5.24, 135 M parameters, one thread of a CPU): it
wrote 5.3 and 26 tokens per CPU second with one and eight answers where plain `generate` wrote 13 and 49; it runs no
MPT, Falcon, BLOOM or LFM2; and its logits cannot be had, which a seed that means the same on every engine needs. So
the loop is the one that the ONNX engine has, and this file computes one step of it.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers.cache_utils import Cache, DynamicCache

from playground.engines.contract import EngineOptions
from playground.engines.runner import Logits
from playground.engines.torch_cache import TorchRows, token_bytes
from playground.engines.torch_errors import typed_errors
from playground.engines.torch_masks import WindowMasks
from playground.errors import EngineError, ModelLoadError, OutOfMemory

_LOGITS_BYTES = 64 * 2**20
_CHUNKS = {"cpu": 256, "cuda": 1024}
_MIN_TOKENS = 32


class TorchBatch:
    """A `runner.DecodeBatch` of neighbouring rows."""

    def __init__(self, runner: TorchRunner, first: int, count: int) -> None:
        self.ids = np.zeros(count, np.int64)
        self.lengths = np.zeros(count, np.int64)
        self._runner = runner
        self._rows = (first, first + count)
        self._computed: torch.Tensor | None = None
        self._best: torch.Tensor | None = None

    def run(self) -> None:
        """Compute one token per row."""
        self._computed, self._best = self._runner.decode(*self._rows, self.ids, self.lengths)

    @property
    def logits(self) -> Logits:
        """[rows, vocabulary] of the last run, copied to the CPU when they are asked for."""
        if self._computed is None:
            raise AssertionError("logits are there after a run")
        return as_numpy(self._computed)

    def largest(self) -> list[int]:
        """The largest logit of every row; it was found on the device."""
        if self._best is None:
            raise AssertionError("the largest logit is there after a run")
        tokens: list[int] = self._best.tolist()
        self.ids[:] = tokens
        return tokens


class TorchRunner:
    """A loaded model with its cache.

    Raises OutOfMemory when `kv_cache_mb` does not hold a short conversation or the device has no room for it, and
    ModelLoadError when the model cannot be run row by row.
    """

    def __init__(self, model: Any, options: EngineOptions, context_length: int) -> None:
        self._model = model
        self._device: torch.device = model.device
        accepted = inspect.signature(model.forward).parameters
        self._positions = "position_ids" in accepted
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in accepted else {}
        seen, self.vocab_size = self._see()
        # Without attention a token costs nothing; it is counted as one number, so that there is a limit.
        self.budget = options.kv_cache_mb * 2**20 // (token_bytes(seen) or 4)
        if self.budget < _MIN_TOKENS:
            raise OutOfMemory(
                f"{options.kv_cache_mb} MiB for keys and values hold only {self.budget} tokens of this model. "
                "Raise kv_cache_mb or choose a smaller model."
            )
        rows = 2 * options.max_batch  # half of them keep conversations that wait for a follow-up
        self.capacity = min(context_length, self.budget)
        self.budget = min(self.budget, rows * self.capacity)
        self.cache = self._make_cache(seen, rows)
        self._masks = WindowMasks(model.config.get_text_config(decoder=True), model.dtype, self.capacity)
        self.chunk = _CHUNKS[self._device.type]
        self.score_chunk = max(16, min(self.chunk, _LOGITS_BYTES // (4 * self.vocab_size)))

    @torch.inference_mode()
    def prefill(self, row: int, start: int, token_ids: Sequence[int], *, every: bool = False) -> Logits:
        """Compute some tokens of a row that already holds `start`; logits of all of them only with `every`."""
        end = start + len(token_ids)
        with typed_errors():
            self.cache.table.reserve(row, end)
            ids = torch.tensor([token_ids], device=self._device)
            positions = torch.arange(start, end, device=self._device)[None]
            self.cache.enter(self.cache.table.step(row, row + 1, positions, start, end))
            logits = self._forward(ids, positions, None, {} if every else self._last_only)[0]
            if not every:
                logits = logits[-1:]
            self._check(logits.amax(dim=-1), row, row + 1)
            return as_numpy(logits)

    @torch.inference_mode()
    def decode(
        self, first: int, end: int, ids: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """One token for the rows from `first` to `end`: logits [rows, vocabulary] and the largest of each row."""
        longest = int(lengths.max())
        with typed_errors():
            for row, length in zip(range(first, end), lengths.tolist(), strict=True):
                self.cache.table.reserve(row, length)
            held = torch.from_numpy(lengths).to(self._device)
            positions = held[:, None] - 1
            self.cache.enter(self.cache.table.step(first, end, positions, longest - 1, longest))
            mask = None if int(lengths.min()) == longest else self._masks.ragged(held, longest)
            logits = self._forward(torch.from_numpy(ids).to(self._device)[:, None], positions, mask, {})[:, -1]
            best = logits.max(dim=-1)
            self._check(best.values, first, end)
            return logits, best.indices

    @torch.inference_mode()
    def at_once(self, token_ids: Sequence[int]) -> Logits:
        """Logits [vocabulary] after some tokens, from one run without a cache: what everything else must agree with."""
        with typed_errors():
            ids = torch.tensor([token_ids], device=self._device)
            return as_numpy(self._model(ids, use_cache=False).logits[0, -1])

    def batch(self, first: int, count: int) -> TorchBatch:
        """The batch of the rows from `first` on."""
        return TorchBatch(self, first, count)

    def _forward(self, ids: torch.Tensor, positions: torch.Tensor, mask: Any, options: dict[str, int]) -> torch.Tensor:
        where = {"position_ids": positions} if self._positions else {}
        output = self._model(ids, attention_mask=mask, cache=self.cache, use_cache=True, **where, **options)
        logits: torch.Tensor = output.logits
        return logits

    def _check(self, largest: torch.Tensor, first: int, end: int) -> None:
        """A value that is no number spreads to the largest logit of its row."""
        if not bool(torch.isfinite(largest).all()):
            for row in range(first, end):
                self.cache.wipe(row)
            raise EngineError(
                "The model computed values that are no numbers, so its answer is lost. "
                "Try again; if it happens again, choose another model or precision."
            )

    @torch.inference_mode()
    def _see(self) -> tuple[Cache, int]:
        """Run two tokens with the library's own cache: what is in it then shows every layer's shapes."""
        with typed_errors():
            seen = DynamicCache(config=self._model.config)
            output = self._model(
                torch.zeros((1, 2), dtype=torch.int64, device=self._device), cache=seen, use_cache=True
            )
            return seen, int(output.logits.shape[-1])

    def _make_cache(self, seen: Cache, rows: int) -> TorchRows:
        try:
            with typed_errors():
                return TorchRows(seen, rows=rows, capacity=self.capacity, budget=self.budget, device=self._device)
        except OutOfMemory as error:
            raise OutOfMemory(
                "The device has no room for this model's keys and values. Lower max_batch or kv_cache_mb."
            ) from error
        except TypeError as error:
            raise ModelLoadError(
                f"The PyTorch engine does not run this model: {error}. Choose another model."
            ) from error


def as_numpy(logits: torch.Tensor) -> Logits:
    """Logits on the CPU, in fp32."""
    array: Logits = logits.float().cpu().numpy()
    return array
