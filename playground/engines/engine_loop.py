"""The thread that computes: prompts chunk by chunk, answers in bursts, everybody's turn by turn.

Between two looks at the queue the loop decodes a *burst* of several tokens (multi-step scheduling, as in vLLM): nothing
but run, choose, feed back. Text, stop texts and listeners are served once per burst. A burst ends at once when a
request arrives, is cancelled, or an answer ends.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from playground.domain import Loading, Queued, Stage
from playground.engines.runner import DecodeBatch, Runner
from playground.engines.scheduler import Scheduler
from playground.engines.sequence import LIFE_SECONDS, Row, Sequence
from playground.errors import EngineError

logger = logging.getLogger(__name__)

BURST_SECONDS = 0.02
# While others write, a chunk of a prompt is cut to take about this long, and they get as long before the next one.
TURN_SECONDS = 0.1
_MIN_CHUNK = 16


class EngineLoop:
    """Owns the model runner and the scheduler on a thread of its own. Its methods may be called from any thread."""

    def __init__(self, runner: Runner, eos_ids: frozenset[int], *, max_batch: int) -> None:
        self._runner = runner
        self._eos_ids = eos_ids
        self._scheduler = Scheduler(runner.cache, max_batch=max_batch, budget=runner.budget)
        self._news: deque[Sequence | None] = deque()
        self._wake = threading.Condition()
        self._closed = False
        self.written = 0
        self._line: list[Sequence] = []
        self._told = 0.0
        self._prefill_turn = 0.0
        self._seconds_per_token = 0.0
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()

    def add(self, sequence: Sequence) -> None:
        """Put a new sequence in line. Raises EngineError after `close`."""
        with self._wake:
            if self._closed:
                raise _unloaded()
            self._news.append(sequence)
            self._wake.notify()

    def cancel(self, sequence: Sequence) -> None:
        """Stop working on a sequence within one step; its listener hears nothing more."""
        sequence.cancelled = True
        with self._wake:
            self._news.append(None)
            self._wake.notify()

    def close(self) -> None:
        """Fail whatever is under way and end the thread."""
        with self._wake:
            self._closed = True
            self._news.append(None)
            self._wake.notify()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _work(self) -> None:
        try:
            while self._receive():
                try:
                    self._step()
                except EngineError as error:
                    logger.warning("a step failed: %s", error.code)
                    self._fail_all(error)
                    self._scheduler.clear()
        finally:
            with self._wake:
                self._closed = True
                self._scheduler.waiting.extend(item for item in self._news if item is not None)
                self._news.clear()
            self._fail_all(_unloaded())

    def _receive(self) -> bool:
        """Take in what is new, waiting for it when there is nothing to do; False once closed."""
        scheduler = self._scheduler
        if not self._news and scheduler.busy and not scheduler.waiting:
            return True
        with self._wake:
            while not (self._news or scheduler.busy or scheduler.waiting):
                self._wake.wait()
            arrived = [item for item in self._news if item is not None]
            looked = bool(self._news)
            self._news.clear()
            if self._closed:
                scheduler.waiting.extend(arrived)
                return False
        scheduler.waiting.extend(arrived)
        if looked:
            for sequence in [item for item in (*scheduler.waiting, *scheduler.active) if item.cancelled]:
                scheduler.remove(sequence)
        if scheduler.waiting:
            scheduler.admit()
            self._tell_line()
        return True

    def _tell_line(self) -> None:
        line = list(self._scheduler.waiting)
        now = time.monotonic()
        if line != self._line or now - self._told >= LIFE_SECONDS:
            self._line, self._told = line, now
            for position, sequence in enumerate(line, start=1):
                sequence.tell(Queued(position))

    def _step(self) -> None:
        """A chunk of a prompt if it is a prompt's turn, then a burst of those who write."""
        scheduler = self._scheduler
        if scheduler.prefilling and (not scheduler.decoding or time.monotonic() >= self._prefill_turn):
            self._prefill(scheduler.prefilling[0])
        if scheduler.decoding:
            self._decode()

    def _prefill(self, sequence: Sequence) -> None:
        scheduler, row = self._scheduler, _row(sequence)
        start = len(row.tokens)
        reading = sequence.reading
        if start == len(sequence.prompt) - 1 and reading is None:
            sequence.last_token = sequence.prompt[-1]
            scheduler.start_decoding(sequence)  # its one token left is a step like any other
            return
        chunk = sequence.prompt[start : start + self._chunk_size(sequence)]
        began = time.monotonic()
        every = reading is not None and start + len(chunk) >= reading.first
        logits = self._runner.prefill(row.index, start, chunk, every=every)
        row.tokens += chunk
        if reading is not None and every:
            reading.take(logits, start)
        now = time.monotonic()
        self._seconds_per_token = (now - began) / len(chunk)
        self._prefill_turn = now + (now - began)
        if len(row.tokens) < len(sequence.prompt):
            scheduler.prefilling.append(scheduler.prefilling.pop(0))
            sequence.tell(Loading(Stage.PREFILLING, sequence.progress))
        elif reading is not None:
            sequence.tell(reading.result)
            scheduler.remove(sequence)
        else:
            token = sequence.choose(logits[-1])
            scheduler.start_decoding(sequence)
            self._hand_on(sequence, [token])

    def _chunk_size(self, sequence: Sequence) -> int:
        """A whole chunk when nobody waits for it, otherwise as much as fits into a turn."""
        reading, start = sequence.reading, len(_row(sequence).tokens)
        whole = self._runner.chunk
        if reading is not None and start + whole >= reading.first:
            whole = max(self._runner.score_chunk, min(whole, reading.first - 1 - start))
        if not self._scheduler.decoding or not self._seconds_per_token:
            return whole
        return min(whole, max(_MIN_CHUNK, int(TURN_SECONDS / self._seconds_per_token)))

    def _decode(self) -> None:
        first, sequences = self._scheduler.arrange()
        batch = self._runner.batch(first, len(sequences))
        batch.ids[:] = [sequence.last_token for sequence in sequences]
        batch.lengths[:] = [len(_row(sequence).tokens) + 1 for sequence in sequences]
        steps = self._burst(batch, sequences)
        for sequence, tokens in zip(sequences, zip(*steps, strict=True), strict=True):
            row = _row(sequence)
            row.tokens.append(sequence.last_token)
            row.tokens += tokens[:-1]
            self._hand_on(sequence, list(tokens))

    def _burst(self, batch: DecodeBatch, sequences: list[Sequence]) -> list[list[int]]:
        """Tokens of every row, step by step. This loop is what an answer's speed depends on."""
        run, lengths, eos_ids, news = batch.run, batch.lengths, self._eos_ids, self._news
        choose = _chooser(batch, sequences)
        limit = min(1 if sequence.generated == 0 else sequence.remaining for sequence in sequences)
        clock = time.perf_counter
        end = clock() + BURST_SECONDS
        steps: list[list[int]] = []
        while True:
            run()
            tokens = choose()
            steps.append(tokens)
            if not eos_ids.isdisjoint(tokens) or len(steps) >= limit or news or clock() >= end:
                return steps
            lengths += 1

    def _hand_on(self, sequence: Sequence, tokens: list[int]) -> None:
        if sequence.failure is not None:
            self._scheduler.remove(sequence)
            sequence.tell(sequence.failure)
            return
        self.written += len(tokens)
        sequence.take(tokens)
        if sequence.finish is not None:
            self._scheduler.remove(sequence)
            sequence.complete()

    def _fail_all(self, error: EngineError) -> None:
        for sequence in (*self._scheduler.waiting, *self._scheduler.active):
            self._scheduler.remove(sequence)
            sequence.tell(error)


def _chooser(batch: DecodeBatch, sequences: list[Sequence]) -> Callable[[], list[int]]:
    """What picks the next token of every row and feeds it back."""

    def pick_each() -> list[int]:
        tokens = [sequence.choose(row) for sequence, row in zip(sequences, batch.logits, strict=True)]
        batch.ids[:] = tokens
        return tokens

    return batch.largest if all(sequence.greedy for sequence in sequences) else pick_each


def _row(sequence: Sequence) -> Row:
    if sequence.row is None:
        raise AssertionError("an active sequence has a row")
    return sequence.row


def _unloaded() -> EngineError:
    return EngineError("The model was unloaded. Send the message again to load it.")
