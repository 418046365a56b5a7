"""What is special about a kind of database, as `Database` uses it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import URL

from playground.errors import StorageError

DURABLE = "playground_durable"
"""Execution option of a writing transaction: whether its commit must be on the disk. Absent: it only reads."""


class Backend(Protocol):
    """One database. `shared`: several app processes may use it at the same time."""

    shared: bool

    def __init__(self, url: URL) -> None: ...

    def connect(self) -> Engine:
        """The pool of connections. Raises ConfigError for an address nobody can use, StorageError."""
        ...

    def reader(self, engine: Engine) -> Engine:
        """The same pool for transactions that only read, each of which sees one picture."""
        ...

    def turn(self) -> AbstractContextManager[None]:
        """The turn of a thread to write, where only one may."""
        ...

    def lock(self, connection: Connection, name: str) -> None:
        """Until the end of this writing transaction, no other one holds the lock of this name, in any process."""
        ...

    def explain(self, error: BaseException) -> tuple[str, StorageError | None]:
        """The database's own name of a driver's error, and what to tell people; None when there is no better word."""
        ...
