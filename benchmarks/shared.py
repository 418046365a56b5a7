"""What an answer costs to store, in SQLite and in PostgreSQL, and to follow from another app process.

In seconds of processor time, which say how many answers a core carries whatever else the machine does. The answers are
those of the echo engine, slow enough to be saved while they are written; the gate screens them as always. PostgreSQL is
the one that BENCH_DATABASE_URL names (an empty database on this machine); without it there are only SQLite's rows.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import psutil
from sqlalchemy import text

from benchmarks.rows import Row
from playground.chat.run import Run
from playground.config import Settings
from playground.domain import ChatRequest
from playground.services import Services, build

AT_ONCE, ROUNDS = 32, 3
QUESTION = "The fox went on and on, over the hills and through the woods. " * 8
_MODEL = """[[models]]
id = "unhurried"
name = "Unhurried"
family = "Echo"
engine = "echo"
context_length = 32768
licence = "Apache-2.0"
languages = ["en"]
description = { en = "Repeats, slowly.", vi = "Lặp lại, chậm rãi." }
engine_options = { piece_chars = 8, delay_seconds = 0.05 }
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one answer: milliseconds of processor time in the app and in the database's server, and transactions."""

    app: float
    server: float
    transactions: float


def measure() -> Iterator[Row]:
    """SQLite, PostgreSQL, and PostgreSQL with every answer followed from a second process's services."""
    with tempfile.TemporaryDirectory() as folder:
        yield from _rows("SQLite", _cost(_settings(Path(folder), "")))
    if url := os.environ.get("BENCH_DATABASE_URL"):
        with tempfile.TemporaryDirectory() as folder:
            yield from _rows("PostgreSQL", _cost(_settings(Path(folder), url)))
            yield from _rows("PostgreSQL, followed elsewhere", _cost(_settings(Path(folder), url), followed=True))


def _rows(name: str, cost: Cost) -> Iterator[Row]:
    yield Row(f"{name}: app, per answer of {len(QUESTION)} characters", cost.app, "ms of CPU")
    if cost.transactions:
        yield Row(f"{name}: server, per answer", cost.server, "ms of CPU")
        yield Row(f"{name}: transactions per answer", cost.transactions, "")


def _settings(folder: Path, url: str) -> Settings:
    models = folder / "models.toml"
    models.write_text(_MODEL, encoding="utf-8")
    return Settings(
        data_dir=folder, models_file=models, default_model="unhurried", database_url=url, fingerprint_key="k" * 32
    )


def _cost(settings: Settings, *, followed: bool = False) -> Cost:
    with ExitStack() as stack:
        here = stack.enter_context(closing(build(settings)))
        there = stack.enter_context(closing(build(settings))) if followed else None
        _round(here, there)  # connections are made, and statements prepared
        began = _used(here)
        for _ in range(ROUNDS):
            _round(here, there)
        ended = _used(here)
    app, server, transactions = (
        (after - before) / (ROUNDS * AT_ONCE) for before, after in zip(began, ended, strict=True)
    )
    return Cost(1000 * app, 1000 * server, transactions)


def _round(here: Services, there: Services | None) -> None:
    runs = [here.chat.start(ChatRequest(f"owner{number}", "unhurried", QUESTION)) for number in range(AT_ONCE)]
    for run in runs + (_mirrors(there, runs) if there else []):
        run.wait(60)


def _mirrors(there: Services, runs: Sequence[Run]) -> list[Run]:
    found = [there.chat.active(run.owner, run.conversation_id or "") for run in runs]
    return [run for run in found if run is not None]


def _used(services: Services) -> tuple[float, float, float]:
    """Processor time of this process and of the server, and the transactions of the database, so far."""
    if not services.database.shared:
        return time.process_time(), 0.0, 0.0
    with services.database.read() as connection:
        counted = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
        time.sleep(1.5)  # the server counts in steps
        transactions = float(connection.scalar(text(counted)) or 0)
        backend = psutil.Process(connection.scalar(text("SELECT pg_backend_pid()")))
    family = [backend, *(other for other in backend.parent().children() if other != backend)]
    server = sum(part.cpu_times().user + part.cpu_times().system for part in family)
    return time.process_time(), server, transactions
