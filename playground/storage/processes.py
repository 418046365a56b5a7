"""The app processes that serve people from one database, by their last sign of life on the database's own clock."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import ColumnElement, delete, insert, select, update

from playground.storage.database import Database
from playground.storage.schema import api_requests, processes, writing


class ProcessStore:
    """The row of one process, `process_id`, among those of the others.

    Whoever gave no sign for `lease` counts as dead. Every method raises StorageError when the database cannot do its
    work.
    """

    def __init__(self, database: Database, process_id: str, lease: timedelta) -> None:
        self._database = database
        self.id = process_id
        self.lease = lease

    def beat(self) -> None:
        """A sign of life; the first one joins."""
        now = self._database.now()
        with self._database.write(durable=False) as connection:
            if not connection.execute(update(processes).where(processes.c.id == self.id).values(seen_at=now)).rowcount:
                connection.execute(insert(processes).values(id=self.id, started_at=now, seen_at=now))

    def living(self) -> ColumnElement[bool]:
        """Whether a row of `processes` is that of a process that lives."""
        return processes.c.seen_at > self._database.now(self.lease)

    def count(self) -> int:
        """How many live."""
        with self._database.read() as connection:
            return len(connection.scalars(select(processes.c.id).where(self.living())).all())

    def bury(self) -> int:
        """Forget the dead, and what they held; returns how many conversations they were writing in.

        Also what is held under a name that is not there any more.
        """
        with self._database.write(alone="processes") as connection:
            connection.execute(delete(processes).where(~self.living(), processes.c.id != self.id))
            known = select(processes.c.id)
            connection.execute(delete(api_requests).where(api_requests.c.process_id.not_in(known)))
            return connection.execute(delete(writing).where(writing.c.process_id.not_in(known))).rowcount

    def leave(self) -> None:
        """Give everything back; for the end of the process, when its answers have been stored."""
        with self._database.write() as connection:
            connection.execute(delete(writing).where(writing.c.process_id == self.id))
            connection.execute(delete(api_requests).where(api_requests.c.process_id == self.id))
            connection.execute(delete(processes).where(processes.c.id == self.id))
