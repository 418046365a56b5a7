"""SQLite: one file, one app process.

It runs in WAL mode: readers never wait for the writer. There is one writer at a time; threads of this process queue
for it at a lock (fair and cheap), other processes at SQLite's own lock for up to `BUSY_SECONDS`.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

from playground.errors import ConfigError, StorageError
from playground.storage.backend import DURABLE
from playground.text import fold

BUSY_SECONDS = 5.0
HASTY_SECONDS = 0.1
_LOCKED = "Another program keeps the database locked. Close that program, or try again in a moment."
_REASONS = {
    "SQLITE_FULL": "The disk is full, so nothing can be saved. Free some space and try again.",
    "SQLITE_READONLY": "The database may only be read, so nothing can be saved. "
    "Allow writing to the data folder, or choose another one with --data-dir.",
    "SQLITE_BUSY": _LOCKED,
    "SQLITE_LOCKED": _LOCKED,
    "SQLITE_NOTADB": "The database file is not a database. Move it away, or choose another folder with --data-dir.",
    "SQLITE_CORRUPT": "The database file is damaged. Restore a backup, or choose another folder with --data-dir.",
    "SQLITE_CANTOPEN": "The database cannot be opened. "
    "Check that the data folder exists and may be written, or choose another one with --data-dir.",
    "SQLITE_PERM": "The database may not be opened. Allow access to the data folder, or choose another one.",
    "SQLITE_IOERR": "The disk reported an error while the database was used. Check the disk, then try again.",
}


class Sqlite:
    """See `backend.Backend`."""

    shared = False

    def __init__(self, url: URL) -> None:
        self.url = url
        self._writer = threading.Lock()

    def connect(self) -> Engine:
        """The connections, and the file's folder if it is missing."""
        if self.url.database in (None, "", ":memory:"):
            raise ConfigError("database_url must name a file: what is only in memory would be lost.")
        if not str(self.url.database).startswith("file:"):
            _make_folder(Path(str(self.url.database)).absolute().parent)
        engine = create_engine(self.url, connect_args={"timeout": BUSY_SECONDS}, pool_size=8, max_overflow=24)
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
        return engine

    def reader(self, engine: Engine) -> Engine:
        """The same: every transaction of SQLite is one picture."""
        return engine

    @contextmanager
    def turn(self) -> Iterator[None]:
        """The writer's turn among the threads of this process."""
        with self._writer:
            yield

    def lock(self, connection: Connection, name: str) -> None:
        """Nothing: a writer is alone anyway."""

    def explain(self, error: BaseException) -> tuple[str, StorageError | None]:
        """SQLite's name of the error, and a sentence if there is one."""
        name = str(getattr(error, "sqlite_errorname", type(error).__name__))
        sentence = next((text for start, text in _REASONS.items() if name.startswith(start)), None)
        return name, StorageError(sentence) if sentence else None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"The data folder {folder} cannot be made ({error.strerror}). Choose another one with --data-dir."
        ) from error


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun below, not guessed by the driver
    connection.create_function("fold", 1, _fold_value, deterministic=True)
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}")


def _fold_value(value: str | None) -> str | None:
    return None if value is None else fold(value)


def _begin(connection: Connection) -> None:
    durable = connection.get_execution_options().get(DURABLE)
    if durable is None:
        connection.exec_driver_sql("BEGIN")
        return
    connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
    connection.exec_driver_sql(f"PRAGMA busy_timeout={int(1000 * (BUSY_SECONDS if durable else HASTY_SECONDS))}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
