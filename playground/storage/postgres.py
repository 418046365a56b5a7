"""PostgreSQL: a server, for one app process or several.

Writers wait for each other only where they change the same rows or ask for the same lock. A reading transaction is
REPEATABLE READ: one picture, as with SQLite.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.pool import ConnectionPoolEntry

from playground.errors import ConfigError, DatabaseUnreachable, StorageError
from playground.storage.backend import DURABLE

CONNECTIONS = 20
"""Connections of one app process at most; the server's `max_connections` (100) must hold them all."""
_KEPT = 5
_IDLE_SECONDS = 2.0
_USED = "used_at"
_CONNECT_SECONDS = 5
_SILENT_SECONDS = 15
_LOCK_SECONDS = 5.0
_HASTY_SECONDS = 0.1
_STATEMENT_SECONDS = 60
_PREPARE = (
    f"SET lock_timeout = '{_LOCK_SECONDS:g}s'",
    f"SET statement_timeout = '{_STATEMENT_SECONDS}s'",
    "SET synchronous_commit = on",
    "SET client_min_messages = warning",
)
_HASTY = (
    "SELECT set_config('synchronous_commit', 'off', true), "
    f"set_config('lock_timeout', '{int(1000 * _HASTY_SECONDS)}ms', true)"
)
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")

_AWAY = "The database server cannot be reached. Check that it runs and that database_url names it; then try again."
_DENIED = "The database server refused this user. Correct name and password in database_url (or PGPASSWORD)."
_MISSING = "The database named in database_url does not exist on its server. Create it, or correct the name."
_FULL = "The database server has no connection left. Allow more (max_connections), or run fewer app processes."
_LOCKED = "Another program keeps the database locked. Close that program, or try again in a moment."
_READ_ONLY = (
    "The database may only be read, so nothing can be saved. Connect to a server that takes writes (no standby), and "
    "give this user the right to write."
)
_NO_RIGHT = (
    "The database user may not do that. Let it own the database, or GRANT it CREATE and USAGE on the schema and all "
    "rights on its tables."
)
# SQLSTATE, or the beginning of it -> sentence; the longest beginning counts (Appendix A of PostgreSQL's manual).
_STATES: dict[str, tuple[type[StorageError], str]] = {
    "08": (DatabaseUnreachable, _AWAY),
    "57P": (DatabaseUnreachable, _AWAY),
    "28": (StorageError, _DENIED),
    "3D000": (StorageError, _MISSING),
    "53300": (DatabaseUnreachable, _FULL),
    "53100": (StorageError, "The database server's disk is full, so nothing can be saved. Free some space there."),
    "53200": (StorageError, "The database server is out of memory. Try again in a moment."),
    "25006": (StorageError, _READ_ONLY),
    "42501": (StorageError, _NO_RIGHT),
    "55P03": (StorageError, _LOCKED),
    "40": (StorageError, _LOCKED),
    "57014": (StorageError, "The database took too long and was stopped. Try again in a moment."),
    "58": (StorageError, "The database server's disk reported an error. Check the server, then try again."),
    "XX": (StorageError, "The database is damaged. Look into the server's log, and restore a backup if need be."),
}
# A server that refuses a connection has no SQLSTATE in the driver's error, only words.
_WORDS: dict[str, tuple[type[StorageError], str]] = {
    "authentication failed": (StorageError, _DENIED),
    "no password supplied": (StorageError, _DENIED),
    "pg_hba.conf": (StorageError, _DENIED),
    'role "': (StorageError, _DENIED),
    'database "': (StorageError, _MISSING),
    "too many clients": (DatabaseUnreachable, _FULL),
    "remaining connection slots": (DatabaseUnreachable, _FULL),
}


class Postgres:
    """See `backend.Backend`."""

    shared = True

    def __init__(self, url: URL) -> None:
        if url.get_driver_name() != "psycopg":
            raise ConfigError("database_url names a driver that is not used here; write postgresql://…, without one.")
        if {"password", "sslpassword", "passfile"} & {name.lower() for name in url.query}:
            raise ConfigError("database_url has a password after the ?; put it before the @, or into PGPASSWORD.")
        if not url.database:
            raise ConfigError("database_url names no database; it looks like postgresql://name@server/database.")
        self.url = url

    def connect(self) -> Engine:
        """The connections; none is made yet."""
        arguments = {
            "connect_timeout": _CONNECT_SECONDS,
            "application_name": "playground",
            "keepalives_idle": _SILENT_SECONDS,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 1000 * _SILENT_SECONDS,
        }
        try:
            engine = create_engine(
                self.url,
                connect_args={name: value for name, value in arguments.items() if name not in self.url.query},
                pool_size=_KEPT,
                max_overflow=CONNECTIONS - _KEPT,
                pool_timeout=_LOCK_SECONDS,
            )
        except ModuleNotFoundError as error:
            raise ConfigError("PostgreSQL needs a package: pip install 'psycopg[binary]', then start again.") from error
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "checkout", _try_out)
        event.listen(engine, "checkin", _note_use)
        event.listen(engine, "begin", _begin)
        return engine

    def reader(self, engine: Engine) -> Engine:
        """REPEATABLE READ: what is read later in a transaction belongs to what was read first."""
        return engine.execution_options(isolation_level="REPEATABLE READ")

    @contextmanager
    def turn(self) -> Iterator[None]:
        """At once: the server knows who has to wait for whom."""
        yield

    def lock(self, connection: Connection, name: str) -> None:
        """An advisory lock of the transaction, by a hash of the name: two names may share one, which only waits."""
        connection.execute(_LOCK, {"name": f"playground {name}"})

    def explain(self, error: BaseException) -> tuple[str, StorageError | None]:
        """By SQLSTATE; by the server's words where there is none; whatever else the driver says of a connection means
        that nobody is there.
        """
        if isinstance(error, NoConnectionFree):
            return "NoConnectionFree", DatabaseUnreachable("All connections to the database are in use. Try again.")
        state = str(getattr(error, "sqlstate", None) or "")
        name = f"{type(error).__name__} {state}".rstrip()
        found = max((start for start in _STATES if state.startswith(start)), key=len, default=None)
        if found is not None:
            kind, sentence = _STATES[found]
            return name, kind(sentence)
        if state or not _is_about_connection(error):
            return name, None
        kind, sentence = next(
            (told for word, told in _WORDS.items() if word in str(error)), (DatabaseUnreachable, _AWAY)
        )
        return name, kind(sentence)


def _is_about_connection(error: BaseException) -> bool:
    """Whether the driver, which is not imported for this, says that a connection failed or broke."""
    return type(error).__name__ in {"OperationalError", "ConnectionTimeout"}


def _prepare(connection: Any, record: ConnectionPoolEntry) -> None:
    connection.autocommit = True
    with connection.cursor() as cursor:
        for statement in _PREPARE:
            cursor.execute(statement)
    connection.autocommit = False
    _note_use(connection, record)


def _note_use(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info[_USED] = time.monotonic()


def _try_out(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Whether the server is still behind a connection that lay idle; to ask each time would double the messages.

    One that breaks while it is in use takes the idle ones with it: SQLAlchemy makes them anew.
    """
    if time.monotonic() - record.info[_USED] < _IDLE_SECONDS:
        return
    try:
        connection.execute("SELECT 1")
        connection.rollback()
    except connection.OperationalError as error:
        raise InvalidatePoolError from error


def _begin(connection: Connection) -> None:
    if connection.get_execution_options().get(DURABLE) is False:
        connection.exec_driver_sql(_HASTY)
