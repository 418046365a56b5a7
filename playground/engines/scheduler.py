"""Who computes next, and in which row: continuous batching, prefix reuse, and the limits on memory.

A new request joins while others decode. Rows of finished answers are kept; a prompt that begins like one of them takes
the row over (a follow-up question) or copies its beginning (another conversation with the same system prompt), and only
the rest is computed. The rows that decode lie side by side, because the graph runs on neighbouring rows.
"""

from __future__ import annotations

import time
from collections import deque

from playground.engines.runner import RowCache
from playground.engines.sequence import Row, Sequence

# Copying fewer tokens than this from another conversation is not worth it.
MIN_SHARED_TOKENS = 16


class Scheduler:
    """Sequences that wait, read their prompt (`prefilling`) or write (`decoding`). Belongs to the engine's thread.

    At most `max_batch` are active; all rows together hold at most `budget` tokens, counting what active ones may yet
    need.
    """

    def __init__(self, cache: RowCache, *, max_batch: int, budget: int) -> None:
        self.waiting: deque[Sequence] = deque()
        self.prefilling: list[Sequence] = []
        self.decoding: list[Sequence] = []
        self._cache = cache
        self._max_batch = max_batch
        self._budget = budget
        self._rows = [Row(index) for index in range(cache.rows)]
        self._arranged: list[Sequence] = []

    @property
    def active(self) -> list[Sequence]:
        """Every sequence that owns a row."""
        return self.prefilling + self.decoding

    @property
    def busy(self) -> bool:
        """Whether anything can be computed right now."""
        return bool(self.prefilling or self.decoding)

    def admit(self) -> None:
        """Give rows to those who wait, first come first served, as far as rows and memory allow."""
        while self.waiting and len(self.prefilling) + len(self.decoding) < self._max_batch:
            placed = self._place(self.waiting[0])
            if placed is None:
                return
            sequence = self.waiting.popleft()
            row, shared = placed
            row.owner = sequence
            sequence.admit(row, shared)
            self.prefilling.append(sequence)

    def start_decoding(self, sequence: Sequence) -> None:
        """The prompt was read: from now on the sequence is part of the batch."""
        self.prefilling.remove(sequence)
        self.decoding.append(sequence)

    def remove(self, sequence: Sequence) -> None:
        """The sequence has ended or was cancelled; what its row holds is kept for a follow-up."""
        for group in (self.waiting, self.prefilling, self.decoding):
            if sequence in group:
                group.remove(sequence)
        if sequence.row is not None:
            sequence.row.owner = None
            sequence.row.last_used = time.monotonic()
            sequence.row = None

    def clear(self) -> None:
        """Forget what rows without an owner hold: after a failed step it may be half written, and memory short."""
        for row in self._idle():
            row.tokens = []
            self._cache.release(row.index)

    def arrange(self) -> tuple[int, list[Sequence]]:
        """The first row of the batch that decodes, and its sequences in the order of their rows."""
        if self._arranged != self.decoding:
            indexes = sorted(map(_row_index, self.decoding))
            if indexes[-1] - indexes[0] >= len(indexes):
                self._gather(indexes)
            self.decoding.sort(key=_row_index)
            self._arranged = self.decoding.copy()
        return _row_index(self.decoding[0]), self._arranged

    def _gather(self, indexes: list[int]) -> None:
        """Swap rows until those at `indexes` are neighbours, moving as few tokens as possible."""
        chosen = set(indexes)
        lengths = [len(row.tokens) for row in self._rows]

        def moved(first: int) -> int:
            window = range(first, first + len(indexes))
            away = sum(lengths[index] for index in indexes if index not in window)
            return away + sum(lengths[index] for index in window if index not in chosen)

        first = min(range(len(self._rows) - len(indexes) + 1), key=moved)
        window = range(first, first + len(indexes))
        holes = [index for index in window if index not in chosen]
        for hole, far in zip(holes, [index for index in indexes if index not in window], strict=True):
            self._cache.swap(hole, far, lengths[hole], lengths[far])
            self._rows[hole], self._rows[far] = self._rows[far], self._rows[hole]
            self._rows[hole].index, self._rows[far].index = hole, far

    def _place(self, sequence: Sequence) -> tuple[Row, int] | None:
        """A row for the sequence and how much of its prompt the row holds; None: there is no memory yet."""
        source, shared = self._longest_prefix(sequence.prompt[: sequence.reusable])
        takes_over = source is not None and source.owner is None and 2 * shared >= len(source.tokens)
        if not self._make_room(sequence, source, takes_over):
            return None
        if source is not None and takes_over:
            if shared < len(source.tokens):
                del source.tokens[shared:]
                self._cache.release(source.index, shared)
            return source, shared
        row = self._free_row(source)
        self._evict(row)
        if source is None or shared < MIN_SHARED_TOKENS or not source.tokens:
            return row, 0
        self._cache.copy(source.index, row.index, shared)
        row.tokens = source.tokens[:shared]
        return row, shared

    def _longest_prefix(self, beginning: list[int]) -> tuple[Row | None, int]:
        """The row that shares most with the beginning of a prompt: the rest is computed in any case.

        A row that cannot be cut is of use only as a whole.
        """
        shared = [(_shared(row.tokens, beginning), row.owner is None, -row.index) for row in self._rows]
        if not self._cache.divisible:
            shared = [item if item[0] == len(self._rows[-item[2]].tokens) else (0, *item[1:]) for item in shared]
        length, _, index = max(shared)
        return (self._rows[-index], length) if length else (None, 0)

    def _make_room(self, sequence: Sequence, source: Row | None, takes_over: bool) -> bool:
        """Evict kept rows until the sequence fits: the one unused for longest first, the source of a copy last."""
        kept = sorted((row for row in self._idle() if row is not source), key=lambda row: row.last_used)
        if source is not None and source.owner is None and not takes_over:
            kept.append(source)
        used = sum(_reserved(row) for row in self._rows) + _need(sequence)
        used -= len(source.tokens) if source is not None and takes_over else 0
        for row in kept:
            if used <= self._budget:
                break
            used -= len(row.tokens)
            self._evict(row)
        return used <= self._budget

    def _free_row(self, source: Row | None) -> Row:
        """An empty row as near as possible to those in use, or else the kept one unused for longest."""
        owned = [row.index for row in self._rows if row.owner is not None]

        def preference(row: Row) -> tuple[bool, float, int]:
            near = min((abs(row.index - index) for index in owned), default=row.index)
            return bool(row.tokens), row.last_used if row.tokens else near, row.index

        return min((row for row in self._idle() if row is not source), key=preference)

    def _idle(self) -> list[Row]:
        return [row for row in self._rows if row.owner is None]

    def _evict(self, row: Row) -> None:
        if row.tokens:
            row.tokens = []
            self._cache.release(row.index)


def _need(sequence: Sequence) -> int:
    return len(sequence.prompt) + sequence.limit


def _reserved(row: Row) -> int:
    return len(row.tokens) if row.owner is None else _need(row.owner)


def _row_index(sequence: Sequence) -> int:
    if sequence.row is None:
        raise AssertionError("only sequences with a row decode")
    return sequence.row.index


def _shared(one: list[int], other: list[int]) -> int:
    length = min(len(one), len(other))
    return next((at for at in range(length) if one[at] != other[at]), length)
