"""The leaderboard of many kept votes: brought in from a file, read and rated; with one vote more; and taken out again.

The bar is that a vote more costs a fraction of counting everything: the page counts anew after each. CPU time is
counted, in one process.
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
from playground.arena.standings import Standings
from playground.arena.vote_files import write_votes
from playground.arena.votes import Votes
from playground.moderation.fingerprint import Fingerprint
from playground.storage.database import Database
from playground.storage.migrations import migrate
from playground.storage.votes import Vote, VoteStore

VOTES, MODELS, PEOPLE, QUESTIONS = 100_000, 50, 20_000, 60_000
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
