"""What computes: the contract between the engine's loop and the library that runs a model's layers.

A runner keeps the keys and values of several conversations, one per *row*, and knows two kinds of work: a piece of one
prompt (`prefill`), and the next token of some neighbouring rows at once (`batch`). The loop, the scheduler and the
sampler are the same for every runner.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.floating[Any]]


class RowCache(Protocol):
    """What rows hold, as far as the scheduler moves it around.

    Layers with a running state (convolutions, linear attention) cannot go back to an earlier token: their rows are
    continued whole or not at all.
    """

    rows: int

    @property
    def divisible(self) -> bool:
        """Whether the beginning of a row can be used without the rest."""
        ...

    def copy(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` tokens of a row over those of another."""
        ...

    def swap(self, one: int, other: int, length_one: int, length_other: int) -> None:
        """Exchange two rows that hold so many tokens."""
        ...

    def release(self, row: int, kept: int = 0) -> None:
        """Forget a row's tokens behind the first `kept` and give their memory back."""
        ...


class DecodeBatch(Protocol):
    """The next token for each of some neighbouring rows, again and again.

    Write the last tokens to `ids` and the lengths including them to `lengths`, call `run`; then either read `logits`
    [rows, vocabulary], which are valid until the next run, or take the `largest`.
    """

    @property
    def ids(self) -> NDArray[np.int64]:
        """The last token of every row, to be written."""
        ...

    @property
    def lengths(self) -> NDArray[np.int64]:
        """The tokens of every row including its last one, to be written."""
        ...

    @property
    def logits(self) -> Logits:
        """[rows, vocabulary] of the last run."""
        ...

    def run(self) -> None:
        """Compute one token per row. Raises EngineError."""
        ...

    def largest(self) -> list[int]:
        """The token with the largest logit of every row, written to `ids` for the next run."""
        ...


class Runner(Protocol):
    """A loaded model with its cache. Used from one thread at a time.

    `capacity` is the longest conversation in tokens, `budget` how many tokens all conversations may hold together.
    `prefill` takes at most `chunk` tokens at once, or `score_chunk` with `every`.
    """

    capacity: int
    budget: int
    chunk: int
    score_chunk: int
    vocab_size: int

    @property
    def cache(self) -> RowCache:
        """What the rows hold."""
        ...

    def prefill(self, row: int, start: int, token_ids: Sequence[int], *, every: bool = False) -> Logits:
        """Compute some tokens of a row that already holds `start` tokens.

        Returns logits [tokens, vocabulary], valid until the next run: those after the last token, and with `every`
        those after each. Raises EngineError.
        """
        ...

    def batch(self, first: int, count: int) -> DecodeBatch:
        """The batch of the `count` rows from `first` on; at most as many as may be active."""
        ...
