"""The leaderboard of many kept votes: brought in from a file, read and rated; with one vote more; and taken out again.

The bar is that a vote more costs a fraction of counting everything: the page counts anew after each. CPU time is
counted, in one process. Then: how many votes it takes until the table parts the best two of ten models, with pairs
drawn by the sampler, and drawn evenly.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.rows import Row
from playground.arena.contract import TableChoice
from playground.arena.imports import read_ballots
from playground.arena.leaderboard import build_leaderboard
from playground.arena.sampler import pair_weights
from playground.arena.standings import Standings
from playground.arena.vote_files import write_votes
from playground.arena.votes import Votes, build_votes
from playground.moderation.fingerprint import Fingerprint
from playground.storage.database import Database
from playground.storage.migrations import migrate
from playground.storage.votes import Vote, VoteStore

VOTES, MODELS, PEOPLE, QUESTIONS = 100_000, 50, 20_000, 60_000
SEEDS = 20
STRENGTHS = np.array([1.3, 0.8, *np.linspace(0.5, -1.2, 8)])
CHOICE = TableChoice(modes=("blind", "imported"))


def measure() -> Iterator[Row]:
    """Votes per CPU second in and out, seconds for the table, and what one vote more costs."""
    with TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/votes.db")
        migrate(database)
        store = VoteStore(database)
        table = _table()
        seconds, _ = _cpu(lambda: store.add(read_ballots(table, Fingerprint(b"k" * 32))))
        yield Row(f"leaderboard: bringing in {VOTES:,} votes", VOTES / seconds, "votes/s")
        standings = Standings(store)
        seconds, _ = _cpu(lambda: standings.votes(CHOICE))
        yield Row(f"leaderboard: reading {VOTES:,} votes", VOTES / seconds, "votes/s")
        whole, _ = _cpu(lambda: Standings(store).leaderboard(CHOICE))
        yield Row(f"leaderboard: {VOTES:,} votes on {MODELS} models, read and rated", whole, "s")
        standings.leaderboard(CHOICE)
        store.cast(_one_more())
        more, _ = _cpu(lambda: standings.leaderboard(CHOICE))
        yield Row("leaderboard: everything to one vote more", whole / more, "x", 5.0, detail=f"{more:.2f} s")
        seconds, _ = _cpu(lambda: write_votes(standings.rows(), Path(folder) / "votes.csv"))
        yield Row(f"leaderboard: writing {VOTES:,} votes as CSV", VOTES / seconds, "votes/s")
        database.close()
    many = _votes(1_000_000, 100)
    seconds, _ = _cpu(lambda: build_leaderboard(many, rounds=0))
    yield Row("leaderboard: 1,000,000 votes on 100 models, rated without re-weighting", seconds, "s", 10.0, False)
    informed, uniform = (sum(votes_until_parted(seed, informed=one) for seed in range(SEEDS)) for one in (True, False))
    name = f"leaderboard: votes that part the best two of ten, sampler to uniform, {SEEDS} seeds"
    yield Row(name, informed / uniform, "x", 0.7, False, f"{informed / SEEDS:,.0f} and {uniform / SEEDS:,.0f} votes")


def votes_until_parted(seed: int, *, informed: bool, batch: int = 20, most: int = 20_000) -> int:
    """Votes until the table has the truly best two of ten in front, in their order, and says that they are parted.

    The sampler looks at the votes after each batch, the table is looked at after every hundred votes.
    """
    random = np.random.default_rng(seed)
    left, right = np.triu_indices(len(STRENGTHS), 1)
    names = np.array([f"m{at:02}" for at in range(len(STRENGTHS))])
    first = second = won = np.zeros(0, np.int64)
    while len(won) < most:
        votes = build_votes(names[first].tolist(), names[second].tolist(), np.where(won, "model_a", "model_b").tolist())
        if len(won) and len(won) % 100 == 0 and _parted(votes):
            break
        weights = pair_weights(names.tolist(), votes, {}) if informed else np.ones((len(names), len(names)))
        chances = weights[left, right] / weights[left, right].sum()
        pairs = random.choice(len(left), size=batch, p=chances)
        better = random.random(batch) < 1 / (1 + np.exp(STRENGTHS[right[pairs]] - STRENGTHS[left[pairs]]))
        first, second, won = (
            np.concatenate(both) for both in ((first, left[pairs]), (second, right[pairs]), (won, better))
        )
    return len(won)


def _parted(votes: Votes) -> bool:
    best, next_one, *_ = build_leaderboard(votes, rounds=0).standings
    return (best.model, next_one.model, best.separate) == ("m00", "m01", 0)


def _votes(count: int, models: int) -> Votes:
    random = np.random.default_rng(2)
    first, step = random.integers(models, size=count), random.integers(1, models, size=count)
    second = (first + step) % models
    won = random.random(count) < 1 / (1 + np.exp((first - second) * 4 / models))
    return Votes(
        models=tuple(f"model-{at:03}" for at in range(models)),
        first=first,
        second=second,
        winner=np.where(won, 0, 1),
        session=np.arange(count),
        prompt=np.arange(count),
        styles=None,
        labels={},
    )


def _table() -> dict[str, list[Any]]:
    random = np.random.default_rng(1)
    first, step = random.integers(MODELS, size=VOTES), random.integers(1, MODELS, size=VOTES)
    second = (first + step) % MODELS
    better = random.random(VOTES) < 1 / (1 + np.exp((first - second) / 10))
    return {
        "model_a": [f"model-{at}" for at in first],
        "model_b": [f"model-{at}" for at in second],
        "winner": np.where(random.random(VOTES) < 0.2, "tie", np.where(better, "model_a", "model_b")).tolist(),
        "session": random.integers(PEOPLE, size=VOTES).tolist(),
        "prompt": random.integers(QUESTIONS, size=VOTES).tolist(),
        "language": ["en"] * VOTES,
    }


def _one_more() -> Vote:
    return Vote(
        comparison_id="c" * 32,
        model_a="model-1",
        model_b="model-2",
        winner="model_a",
        mode="blind",
        session="5" * 32,
        prompt_hash="7" * 32,
    )


def _cpu(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds, and what came of it."""
    began = time.process_time()
    found = work()
    return time.process_time() - began, found
