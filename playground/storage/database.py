"""The connection to the database: transactions, and errors in sentences.

SQLite runs in WAL mode: readers never wait for the writer. There is one writer at a time; threads of this process
queue for it at a lock (fair and cheap), other processes at SQLite's own lock for up to `BUSY_SECONDS`.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, create_engine, event, func
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from playground.errors import ConfigError, StorageError
from playground.text import fold

log = logging.getLogger(__name__)

BUSY_SECONDS = 5.0
HASTY_SECONDS = 0.1
_DURABLE = "playground_durable"
_REASONS = {
    "SQLITE_FULL": "The disk is full, so nothing can be saved. Free some space and try again.",
    "SQLITE_READONLY": "The database may only be read, so nothing can be saved. "
    "Allow writing to the data folder, or choose another one with --data-dir.",
    "SQLITE_BUSY": "Another program keeps the database locked. Close that program, or try again in a moment.",
    "SQLITE_LOCKED": "Another program keeps the database locked. Close that program, or try again in a moment.",
    "SQLITE_NOTADB": "The database file is not a database. Move it away, or choose another folder with --data-dir.",
    "SQLITE_CORRUPT": "The database file is damaged. Restore a backup, or choose another folder with --data-dir.",
    "SQLITE_CANTOPEN": "The database cannot be opened. "
    "Check that the data folder exists and may be written, or choose another one with --data-dir.",
    "SQLITE_PERM": "The database may not be opened. Allow access to the data folder, or choose another one.",
    "SQLITE_IOERR": "The disk reported an error while the database was used. Check the disk, then try again.",
}
_OTHERWISE = "The database could not do its work ({name}). Try again; the server's log has the details."


class Database:
    """One database, used by every store. `url` is a SQLAlchemy address; a SQLite file's folder is made if missing.

    Raises ConfigError for an address nobody can use, StorageError when the file cannot be opened.
    """

    def __init__(self, url: str, on_error: Callable[[str], None] | None = None) -> None:
        self.url = _usable(url)
        self._on_error = on_error
        self._failing = False  # whether the last try to write came to nothing
        self._sqlite = self.url.get_backend_name() == "sqlite"
        self._writer: Any = threading.Lock() if self._sqlite else nullcontext()
        self._engine = _connected(self.url)

    def __str__(self) -> str:
        return self.url.render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads: one consistent picture.

        Raises StorageError.
        """
        with self._in_sentences(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        """A transaction that is committed at the end, or undone when an exception passes.

        `durable`: the commit is on the disk when this returns, and survives a power cut. Otherwise it survives the
        end of the process only, and does not wait long for a locked database: for text that is still streaming.

        Raises StorageError.
        """
        with self._in_sentences(writing=True), self._writer, self._engine.connect() as connection:
            chosen = connection.execution_options(**{_DURABLE: durable})
            with chosen.begin():
                yield chosen
        self._failing = False

    def check(self, probe: str) -> None:
        """Whether something could be written now: a transaction that writes is begun, and ended without a change.

        After a write that failed, `probe` is done in it, so that a disk that is still full is noticed: a statement that
        changes nothing. Raises StorageError with the reason.
        """
        failing = self._failing
        with self.write(durable=False) as connection:
            if failing:
                connection.exec_driver_sql(probe)

    def folded(self, column: ColumnElement[str]) -> ColumnElement[str]:
        """`column` for comparing in a search (see `text.fold`); other databases than SQLite only ignore case."""
        return func.fold(column) if self._sqlite else func.lower(column)

    def close(self) -> None:
        """Close every connection; may be called twice."""
        self._engine.dispose()

    @contextmanager
    def _in_sentences(self, *, writing: bool = False) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            self._failing = self._failing or writing
            cause = getattr(error, "orig", None) or error
            name = getattr(cause, "sqlite_errorname", type(cause).__name__)
            log.warning("database error %s", name)  # the driver's own text may quote what people wrote
            if self._on_error is not None:
                self._on_error(name)
            sentence = next((text for start, text in _REASONS.items() if name.startswith(start)), None)
            raise StorageError(sentence or _OTHERWISE.format(name=name)) from None


def _usable(url: str) -> URL:
    try:
        parsed = make_url(url)
        parsed.get_dialect()
    except (ArgumentError, NoSuchModuleError) as error:
        raise ConfigError("database_url cannot be understood; it looks like sqlite:////folder/file.db.") from error
    if parsed.get_backend_name() != "sqlite":
        return parsed
    if parsed.database in (None, "", ":memory:"):
        raise ConfigError("database_url must name a file: what is only in memory would be lost.")
    if not str(parsed.database).startswith("file:"):
        folder = Path(str(parsed.database)).absolute().parent
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"The data folder {folder} cannot be made ({error.strerror}). Choose another one with --data-dir."
            ) from error
    return parsed


def _connected(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS}, pool_size=8, max_overflow=24)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun below, not guessed by the driver
    connection.create_function("fold", 1, _fold_value, deterministic=True)
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}")


def _fold_value(value: str | None) -> str | None:
    return None if value is None else fold(value)


def _begin(connection: Connection) -> None:
    durable = connection.get_execution_options().get(_DURABLE)
    if durable is None:
        connection.exec_driver_sql("BEGIN")
        return
    connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
    connection.exec_driver_sql(f"PRAGMA busy_timeout={int(1000 * (BUSY_SECONDS if durable else HASTY_SECONDS))}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
