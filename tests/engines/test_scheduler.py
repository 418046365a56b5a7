"""The scheduler on a real cache and no graph: who gets which row, what is reused, moved and evicted."""

from __future__ import annotations

import random

import pytest

from playground.domain import SamplingParams
from playground.engines.detokenizer import TokenTable, Vocabulary
from playground.engines.kv_cache import KVCache
from playground.engines.reading import Scores
from playground.engines.scheduler import MIN_SHARED_TOKENS, Scheduler
from playground.engines.sequence import Event, Row, Sequence
from tests.engines.conftest import make_tokenizer

VOCABULARY = Vocabulary(TokenTable(make_tokenizer()), frozenset(), 400)
HEARD: list[Event] = []


class Bench:
    """A scheduler whose cache holds, at every position, the token that belongs there."""

    def __init__(self, *, max_batch: int = 4, budget: int = 10_000) -> None:
        self.cache = KVCache(shapes=[(1, 1)] * 2, rows=2 * max_batch, capacity=512)
        self.scheduler = Scheduler(self.cache, max_batch=max_batch, budget=budget)

    def add(self, prompt: list[int], limit: int = 10, *, scoring: bool = False) -> Sequence:
        sequence = Sequence(prompt, SamplingParams(), limit, VOCABULARY, HEARD.append)
        sequence.reading = Scores(prompt) if scoring else None
        self.scheduler.waiting.append(sequence)
        self.scheduler.admit()
        return sequence

    def prefill(self, sequence: Sequence) -> None:
        row = row_of(sequence)
        self.write(row, sequence.prompt[len(row.tokens) :])
        self.scheduler.start_decoding(sequence)

    def write(self, row: Row, tokens: list[int]) -> None:
        start = len(row.tokens)
        row.tokens += tokens
        for buffer in self.cache.buffers:
            buffer[row.index, 0, start : len(row.tokens), 0] = tokens

    def run(self, prompt: list[int], limit: int = 10) -> Sequence:
        sequence = self.add(prompt, limit)
        self.prefill(sequence)
        return sequence

    def check(self) -> None:
        """Every row holds the keys and values of its tokens, and knows where it is."""
        for index, row in enumerate(self.scheduler._rows):
            assert row.index == index
            for buffer in self.cache.buffers:
                assert buffer[index, 0, : len(row.tokens), 0].tolist() == row.tokens


def row_of(sequence: Sequence) -> Row:
    assert sequence.row is not None
    return sequence.row


def numbers(start: int, count: int) -> list[int]:
    return list(range(start, start + count))


def test_a_follow_up_takes_its_row_over() -> None:
    bench = Bench()
    first = bench.run(numbers(1, 30))
    row = row_of(first)
    bench.write(row, [90, 91])
    bench.scheduler.remove(first)
    follow_up = bench.add([*numbers(1, 30), 90, 91, 92, 93])
    assert row_of(follow_up) is row
    assert follow_up.cached == 32
    bench.check()


def test_the_last_token_of_a_prompt_is_always_computed() -> None:
    bench = Bench()
    bench.scheduler.remove(bench.run(numbers(1, 30)))
    again = bench.add(numbers(1, 30))
    assert again.cached == 29
    bench.check()


def test_another_conversation_copies_a_shared_beginning() -> None:
    bench = Bench()
    running = bench.run(numbers(1, 100))
    other = bench.add([*numbers(1, 40), 300])
    assert other.cached == 40
    assert row_of(other) is not row_of(running)
    short = bench.add([*numbers(1, MIN_SHARED_TOKENS - 1), 300])
    assert short.cached == 0
    bench.check()


def test_scoring_reuses_nothing() -> None:
    bench = Bench()
    bench.scheduler.remove(bench.run(numbers(1, 30)))
    assert bench.add(numbers(1, 30), 0, scoring=True).cached == 0


def test_at_most_so_many_at_once_and_first_come_first_served() -> None:
    bench = Bench(max_batch=2)
    first, second, third, fourth = (bench.add(numbers(100 * start, 5)) for start in range(4))
    assert list(bench.scheduler.waiting) == [third, fourth]
    bench.scheduler.remove(third)
    bench.scheduler.remove(first)
    bench.scheduler.admit()
    assert bench.scheduler.active == [second, fourth]


def test_memory_is_a_limit_too() -> None:
    bench = Bench(budget=100)
    first = bench.add(numbers(1, 50), limit=20)
    second = bench.add(numbers(200, 50), limit=20)
    assert second.row is None
    bench.scheduler.remove(first)
    bench.scheduler.admit()
    assert second.row is not None


def test_the_row_unused_for_longest_is_evicted_first() -> None:
    bench = Bench(budget=100)
    for start in (1, 101, 201):
        bench.scheduler.remove(bench.run(numbers(start, 30), limit=0))
    bench.run(numbers(300, 30), limit=0)
    kept = sorted(row.tokens[0] for row in bench.scheduler._rows if row.tokens and row.owner is None)
    assert kept == [101, 201]
    bench.check()


def test_the_source_of_a_copy_is_kept_if_possible() -> None:
    bench = Bench(budget=100)
    bench.scheduler.remove(bench.run(numbers(1, 60), limit=0))
    bench.scheduler.remove(bench.run(numbers(300, 20), limit=0))
    copied = bench.add([*numbers(1, 20), *numbers(200, 10)], limit=0)
    assert copied.cached == 20
    bench.scheduler.remove(copied)
    alone = bench.add([*numbers(1, 20), *numbers(320, 75)], limit=0)
    assert alone.row is not None
    bench.check()


def test_rows_that_decode_are_neighbours() -> None:
    bench = Bench(max_batch=4)
    sequences = [bench.run(numbers(100 * number, 10 + number)) for number in range(4)]
    bench.scheduler.remove(sequences[1])
    bench.scheduler.remove(sequences[2])
    first, batch = bench.scheduler.arrange()
    assert {*batch} == {sequences[0], sequences[3]}
    assert [row_of(sequence).index for sequence in batch] == [first, first + 1]
    bench.check()


@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_mixed_up_in_a_long_run(seed: int) -> None:
    chance = random.Random(seed)
    bench = Bench(max_batch=4, budget=600)
    active: list[Sequence] = []
    texts = [[chance.randrange(1, 4) for _ in range(chance.randrange(1, 90))] for _ in range(12)]
    for _ in range(150):
        if chance.random() < 0.5:
            base = chance.choice(texts)
            tail = [chance.randrange(1, 4) for _ in range(chance.randrange(1, 30))]
            bench.add([*base[: chance.randrange(len(base) + 1)], *tail], chance.randrange(1, 40))
        for sequence in bench.scheduler.prefilling.copy():
            if chance.random() < 0.7:
                assert row_of(sequence).tokens == sequence.prompt[: sequence.cached]
                bench.prefill(sequence)
                active.append(sequence)
        if bench.scheduler.decoding:
            first, batch = bench.scheduler.arrange()
            assert [row_of(sequence).index for sequence in batch] == list(range(first, first + len(batch)))
            for sequence in batch:
                bench.write(row_of(sequence), [chance.randrange(1, 4)])
                assert row_of(sequence).tokens[: len(sequence.prompt)] == sequence.prompt
        for sequence in bench.scheduler.decoding.copy():
            if chance.random() < 0.2 or len(row_of(sequence).tokens) >= len(sequence.prompt) + sequence.limit:
                bench.scheduler.remove(sequence)
                bench.scheduler.admit()
        bench.check()
        assert sum(len(row.tokens) for row in bench.scheduler._rows) <= 600
