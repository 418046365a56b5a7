"""Copies of the database: whole, checked, few, put back; damage, loss, full disks and other writers in between."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from playground.domain import Conversation
from playground.errors import StorageError
from playground.storage import snapshots as module
from playground.storage.conversations import ConversationStore
from playground.storage.database import Database
from playground.storage.migrations import migrate
from playground.storage.snapshots import KEPT, Snapshots


@pytest.fixture
def kind() -> str:
    """Copies are of SQLite's file only."""
    return "sqlite"


@pytest.fixture
def file(database: Database) -> Path:
    return Path(str(database.url.database))


@pytest.fixture
def snapshots(file: Path, tmp_path: Path) -> Snapshots:
    return Snapshots(file, tmp_path / "bucket", 60)


def talk(store: ConversationStore, count: int = 1) -> None:
    for number in range(count):
        store.add(Conversation(owner="anna", title=f"{number}"), [])


def lose(database: Database, file: Path) -> None:
    database.close()
    for path in file.parent.iterdir():
        path.unlink()


def count(file: Path) -> int:
    database = Database(f"sqlite:///{file}")
    migrate(database)
    found = len(ConversationStore(database).listed("anna"))
    database.close()
    return found


def test_what_was_written_is_there_again_on_a_new_disk(
    snapshots: Snapshots, store: ConversationStore, database: Database, file: Path
) -> None:
    talk(store, 3)
    copy = snapshots.take()
    lose(database, file)
    assert snapshots.restore() == copy
    assert count(file) == 3
    assert snapshots.restore() is None  # there is a database now: it is never replaced


def test_nothing_new_makes_no_copy_and_only_the_newest_stay(snapshots: Snapshots, store: ConversationStore) -> None:
    assert snapshots.take() is not None
    assert snapshots.take() is None
    for _ in range(KEPT + 2):
        talk(store)
        assert snapshots.take() is not None
    copies = snapshots.copies()
    assert len(copies) == KEPT
    assert [path.name for path in copies] == sorted(path.name for path in copies)
    assert {path.suffix for path in copies[0].parent.iterdir()} == {".db"}


def test_a_copy_that_is_damaged_is_passed_over(
    snapshots: Snapshots, store: ConversationStore, database: Database, file: Path
) -> None:
    talk(store, 1)
    good = snapshots.take()
    talk(store, 1)
    cut = snapshots.take()
    talk(store, 1)
    garbled = snapshots.take()
    assert good
    assert cut
    assert garbled
    cut.write_bytes(cut.read_bytes()[:5000])
    garbled.write_bytes(garbled.read_bytes()[:8192] + b"\xff" * 8192 + garbled.read_bytes()[16384:])
    lose(database, file)
    assert snapshots.restore() == good
    assert count(file) == 1
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_if_none_is_sound_the_start_stops_instead_of_beginning_anew(
    snapshots: Snapshots, store: ConversationStore, database: Database, file: Path
) -> None:
    copy = snapshots.take()
    assert copy
    copy.write_bytes(b"")
    copy.write_bytes(b"nothing" * 1000)
    lose(database, file)
    with pytest.raises(StorageError, match="None of the 1 copies"):
        snapshots.restore()
    assert not file.exists()


def test_a_damaged_database_is_not_copied_over_good_copies(
    snapshots: Snapshots, store: ConversationStore, database: Database, file: Path
) -> None:
    talk(store, 50)
    good = snapshots.take()
    database.close()
    content = file.read_bytes()
    file.write_bytes(content[:8192] + b"\xff" * 8192 + content[16384:])
    with pytest.raises(StorageError):
        snapshots.take()
    assert snapshots.copies() == [good]


def test_writers_go_on_while_it_is_copied_and_every_copy_is_whole(
    snapshots: Snapshots, store: ConversationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAGES_AT_ONCE", 1)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            talk(store)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        copies = [snapshots.take() for _ in range(3)]
    finally:
        stop.set()
        writer.join()
    for copy in copies:
        assert copy is not None
        with sqlite3.connect(copy) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()


def test_a_folder_that_cannot_be_written_is_told_and_leaves_nothing(
    snapshots: Snapshots, store: ConversationStore, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", full)
        with pytest.raises(StorageError, match="could not be copied"):
            snapshots.take()
    assert list((tmp_path / "bucket").iterdir()) == []
    assert not file.with_name(f"{file.name}.copy").exists()
    assert snapshots.take() is not None  # it was not taken for done


def test_it_works_by_itself_and_takes_a_last_copy_at_the_end(
    file: Path, store: ConversationStore, tmp_path: Path
) -> None:
    often = Snapshots(file, tmp_path / "bucket", 0.02)
    often.start()
    deadline = time.monotonic() + 30
    while not often.copies() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert often.copies()
    often.close()
    seldom = Snapshots(file, tmp_path / "other", 3600)
    seldom.start()
    talk(store)
    seldom.close()
    seldom.close()
    (last,) = seldom.copies()
    assert count(last) == 1


def test_other_files_in_the_folder_are_left_alone(snapshots: Snapshots, tmp_path: Path) -> None:
    (tmp_path / "bucket").mkdir()
    others = [tmp_path / "bucket" / name for name in ("playground.db", "playground-1.db", "notes.txt")]
    for other in others:
        other.write_bytes(b"mine")
    snapshots.take()
    assert all(other.read_bytes() == b"mine" for other in others)
    assert len(snapshots.copies()) == 1
