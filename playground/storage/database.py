"""The connection to the database: transactions, and errors in sentences."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, literal
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from playground.domain import utc_now
from playground.errors import ConfigError, StorageError
from playground.storage.backend import DURABLE, Backend
from playground.storage.postgres import Postgres
from playground.storage.schema import UtcDateTime
from playground.storage.sqlite import Sqlite

log = logging.getLogger(__name__)

BACKENDS: Mapping[str, Callable[[URL], Backend]] = {"sqlite": Sqlite, "postgresql": Postgres}
_FORMS = "sqlite:////folder/file.db or postgresql://name@server/database"
_OTHERWISE = "The database could not do its work ({name}). Try again; the server's log has the details."


class Database:
    """One database, used by every store. `url` is a SQLAlchemy address; a SQLite file's folder is made if missing.

    `shared`: other app processes may use it at the same time. Raises ConfigError for an address nobody can use,
    StorageError when the file cannot be opened.
    """

    def __init__(self, url: str, on_error: Callable[[str], None] | None = None) -> None:
        self.url = _understood(url)
        self._on_error = on_error
        self._failing = False  # whether the last try to write came to nothing
        self._backend = BACKENDS[self.url.get_backend_name()](self.url)
        self.shared = self._backend.shared
        self._engine = self._backend.connect()
        self._reader = self._backend.reader(self._engine)

    def __str__(self) -> str:
        return self.url.render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads: one consistent picture.

        Raises StorageError.
        """
        with self._in_sentences(), self._reader.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, *, durable: bool = True, alone: str = "") -> Iterator[Connection]:
        """A transaction that is committed at the end, or undone when an exception passes.

        `durable`: the commit is on the disk when this returns, and survives a power cut. Otherwise it survives the
        end of the process only, and does not wait long for a locked database: for text that is still streaming.
        `alone`: of the transactions with this name, in all processes, one goes on at a time; for what is read first
        and then written accordingly.

        Raises StorageError.
        """
        with self._in_sentences(writing=True), self._backend.turn(), self._engine.connect() as connection:
            chosen = connection.execution_options(**{DURABLE: durable})
            with chosen.begin():
                if alone:
                    self._backend.lock(chosen, alone)
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
        """`column` for comparing in a search (see `text.fold`)."""
        return func.fold(column)

    def now(self, ago: timedelta = timedelta(0)) -> ColumnElement[datetime]:
        """The time, or some time `ago`, by one clock for all processes: the server's where there is one."""
        return func.clock_timestamp() - ago if self.shared else literal(utc_now() - ago, UtcDateTime)

    def close(self) -> None:
        """Close every connection; may be called twice."""
        self._engine.dispose()

    @contextmanager
    def _in_sentences(self, *, writing: bool = False) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            self._failing = self._failing or writing
            name, told = self._backend.explain(getattr(error, "orig", None) or error)
            log.warning("database error %s", name)  # the driver's own text may quote what people wrote
            if self._on_error is not None:
                self._on_error(name)
            raise told or StorageError(_OTHERWISE.format(name=name)) from None


def _understood(url: str) -> URL:
    """Raises ConfigError, which never quotes the address: it may hold a password."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise ConfigError(f"database_url cannot be understood; it looks like {_FORMS}.") from error
    if parsed.drivername == "postgres":
        parsed = parsed.set(drivername="postgresql")
    known: Any = parsed.get_backend_name()
    if known not in BACKENDS:
        raise ConfigError(
            f"database_url names {known!r:.40}; there are: {', '.join(BACKENDS)}. It looks like {_FORMS}."
        )
    try:
        parsed.get_dialect()
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise ConfigError(f"database_url names an unknown driver; it looks like {_FORMS}.") from error
    return parsed
