"""The operator's sessions in the workbench, known to every app process; by the hash of their cookie."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, insert, select

from playground.storage.database import Database
from playground.storage.schema import sessions


class SessionStore:
    """Every method raises StorageError when the database cannot do its work."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, digest: str, seconds: float) -> None:
        """Keep a session for so long; those that have ended go."""
        until = self._database.now(-timedelta(seconds=seconds))
        with self._database.write() as connection:
            connection.execute(delete(sessions).where(sessions.c.ends_at <= self._database.now()))
            connection.execute(insert(sessions).values(hash=digest, ends_at=until))

    def has(self, digest: str) -> bool:
        """Whether this session goes on."""
        going_on = select(sessions.c.hash).where(sessions.c.hash == digest, sessions.c.ends_at > self._database.now())
        with self._database.read() as connection:
            return connection.execute(going_on).first() is not None

    def end(self, digest: str) -> None:
        """End it, if it goes on."""
        with self._database.write() as connection:
            connection.execute(delete(sessions).where(sessions.c.hash == digest))
