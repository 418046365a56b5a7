"""Transactions hold, and whatever goes wrong with the file is one sentence with a next step."""

from __future__ import annotations

import logging
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from playground.domain import Conversation, Message
from playground.errors import ConfigError, StorageError
from playground.storage import sqlite as sqlite_module
from playground.storage.conversations import ConversationStore
from playground.storage.database import Database
from playground.storage.migrations import migrate


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_sqlite_runs_in_wal_with_foreign_keys(database: Database) -> None:
    with database.read() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1
        assert connection.scalar(text("PRAGMA busy_timeout")) == 5000


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_acknowledged_writes_are_synchronous_and_progress_is_not(database: Database) -> None:
    for durable, synchronous, waits in ((True, 2, 5000), (False, 1, 100), (True, 2, 5000)):
        with database.write(durable=durable) as connection:
            assert connection.scalar(text("PRAGMA synchronous")) == synchronous
            assert connection.scalar(text("PRAGMA busy_timeout")) == waits


def test_an_exception_undoes_the_transaction(database: Database) -> None:
    def forget() -> None:
        with database.write() as connection:
            connection.execute(text("DELETE FROM migrations"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        forget()
    with database.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM migrations")) > 0


def test_many_threads_write_and_read_at_once(store: ConversationStore) -> None:
    def work(number: int) -> list[int]:
        seen = []
        for turn in range(10):
            store.add(Conversation(owner=f"o{number}", title=f"{turn}"), [])
            seen.append(len(store.listed(f"o{number}")))
        return seen

    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(work, range(16))) == [list(range(1, 11))] * 16


def test_the_data_folder_is_made_and_private(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    Database(f"sqlite:///{folder / 'x.db'}").close()
    assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "url", ["nonsense", "oracle+nothing://x", "sqlite://", "sqlite:///:memory:", "sqlite:///", "mysql://a@b/c"]
)
def test_an_address_nobody_can_use_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="database_url"):
        Database(url)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"data folder.*--data-dir"):
        Database(f"sqlite:///{tmp_path / 'file' / 'data' / 'x.db'}")


def test_a_file_that_is_not_a_database(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"this is a diary, not a database" * 100)
    with pytest.raises(StorageError, match="not a database"):
        migrate(Database(f"sqlite:///{tmp_path / 'x.db'}"))


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_a_damaged_database(database: Database, tmp_path: Path) -> None:
    database.close()
    file = tmp_path / "data" / "playground.db"
    content = bytearray(file.read_bytes())
    content[100:4096] = b"\x55" * 3996
    file.write_bytes(bytes(content))
    with pytest.raises(StorageError, match="damaged"):
        migrate(Database(f"sqlite:///{file}"))


def test_a_path_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "x.db").mkdir()
    with pytest.raises(StorageError, match="cannot be opened"):
        migrate(Database(f"sqlite:///{tmp_path / 'x.db'}"))


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_a_database_that_may_only_be_read(database: Database, tmp_path: Path) -> None:
    reader = Database(f"sqlite:///file:{tmp_path / 'data' / 'playground.db'}?mode=ro&uri=true")
    store = ConversationStore(reader)
    assert store.listed("anna") == []
    with pytest.raises(StorageError, match=r"may only be read.*--data-dir"):
        store.add(Conversation(owner="anna"), [])
    reader.close()


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_a_full_disk_loses_nothing_that_was_acknowledged(database: Database, store: ConversationStore) -> None:
    kept = Conversation(owner="anna", title="kept")
    store.add(kept, [])
    with database.write() as connection:
        pages = connection.scalar(text("PRAGMA page_count"))
        connection.execute(text(f"PRAGMA max_page_count={pages}"))
    with pytest.raises(StorageError, match="disk is full"):
        store.add(Conversation(owner="anna"), [Message("user", "x" * 1_000_000)])
    assert [found.title for found in store.listed("anna")] == ["kept"]


def test_a_database_that_another_program_keeps_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_module, "BUSY_SECONDS", 0.1)
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    migrate(database)
    other = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store = ConversationStore(database)
    with pytest.raises(StorageError, match="locked"):
        store.add(Conversation(owner="anna"), [])
    assert store.listed("anna") == []  # readers do not wait
    other.execute("ROLLBACK")
    store.add(Conversation(owner="anna"), [])
    other.close()
    database.close()


def test_errors_and_the_log_never_quote_what_was_written(
    store: ConversationStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    twice = Message("user", "a secret between us")
    conversation = Conversation(owner="anna")
    store.add(conversation, [twice])
    with pytest.raises(StorageError) as caught:
        store.add(conversation, [twice])
    assert caught.value.__cause__ is None
    assert "secret" not in str(caught.value) + caplog.text
