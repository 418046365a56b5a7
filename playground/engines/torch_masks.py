"""Which tokens the rows of a batch see, when they are of different lengths."""

from __future__ import annotations

from typing import Any

import torch


class WindowMasks:
    """Masks for one new token per row.

    Where every layer sees everything, the model is told which tokens are there and makes its own mask (and its own
    position bias, as Falcon and MPT do). With a sliding window it would count the window back from the longest row, so
    the masks are made here, each row's window counted from its own end.
    """

    def __init__(self, config: Any, dtype: torch.dtype, capacity: int) -> None:
        kinds = set(getattr(config, "layer_types", None) or ())
        self._window: int = getattr(config, "sliding_window", None) or 0
        if not 0 < self._window < capacity or (kinds and "sliding_attention" not in kinds):
            self._window = 0
        self._mixed = kinds if len(kinds) > 1 else set()
        # The plain attention of `transformers` adds its mask to the scores; the fused one takes true and false.
        self._adds = dtype if config._attn_implementation == "eager" else None

    def ragged(self, lengths: torch.Tensor, longest: int) -> Any:
        """The mask for rows of `lengths` [rows] tokens, the longest of which has `longest`."""
        places = torch.arange(longest, device=lengths.device)
        there = places < lengths[:, None]
        if not self._window:
            return there.long()
        near = there & (places >= lengths[:, None] - self._window)
        if not self._mixed:
            return self._shaped(near)
        return {kind: self._shaped(near if kind == "sliding_attention" else there) for kind in self._mixed}

    def _shaped(self, seen: torch.Tensor) -> torch.Tensor:
        """[rows, 1, 1, tokens]"""
        mask = seen[:, None, None]
        if self._adds is None:
            return mask
        hidden = torch.finfo(self._adds).min
        return torch.zeros(mask.shape, dtype=self._adds, device=mask.device).masked_fill(~mask, hidden)
