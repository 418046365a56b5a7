"""Whether all app processes on one database have the same secrets, told by hashes of them."""

from __future__ import annotations

from sqlalchemy import insert, select

from playground.storage.database import Database
from playground.storage.schema import marks


class MarkStore:
    """Every method raises StorageError when the database cannot do its work."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def agrees(self, name: str, digest: str) -> bool:
        """Whether a secret's hash is the one that is known; the first one counts from then on."""
        with self._database.write(alone=f"mark {name}") as connection:
            known = connection.scalar(select(marks.c.hash).where(marks.c.name == name))
            if known is None:
                connection.execute(insert(marks).values(name=name, hash=digest))
        return known in (None, digest)
