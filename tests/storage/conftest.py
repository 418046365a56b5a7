"""A real SQLite file for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.storage.conversations import ConversationStore
from playground.storage.database import Database
from playground.storage.migrations import migrate


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'data' / 'playground.db'}")
    migrate(database)
    yield database
    database.close()


@pytest.fixture
def store(database: Database) -> ConversationStore:
    return ConversationStore(database)
