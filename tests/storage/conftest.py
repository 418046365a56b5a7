"""A real database for every test: a SQLite file, and a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.storage.conversations import ConversationStore
from playground.storage.database import Database
from playground.storage.migrations import migrate
from tests.postgres import PostgresServer


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which database; a test of one kind only names it with `parametrize("kind", [...], indirect=True)`."""
    return str(request.param)


@pytest.fixture
def database(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    if kind == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        with server.database() as database:
            yield database
        return
    database = Database(f"sqlite:///{tmp_path / 'data' / 'playground.db'}")
    migrate(database)
    yield database
    database.close()


@pytest.fixture
def store(database: Database) -> ConversationStore:
    return ConversationStore(database)
