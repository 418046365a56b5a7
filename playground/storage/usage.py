"""What callers of the API did lately, counted in the database for all app processes together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from playground.domain import new_id, utc_now
from playground.storage.database import Database
from playground.storage.processes import ProcessStore
from playground.storage.schema import api_requests, api_usage, processes

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Standing:
    """A caller before its next request: how many go on, tokens of today (UTC), seconds until its rate allows one more.

    `tokens` are those of callers without a key; a key's are kept with the key.
    """

    running: int
    tokens: int
    wait: float


class UsageStore:
    """A caller is kept as the hash that `disguise` makes of its name: a visitor's name is an address.

    Every method raises StorageError when the database cannot do its work.
    """

    def __init__(self, database: Database, processes: ProcessStore, disguise: Callable[[str], str]) -> None:
        self._database = database
        self._processes = processes
        self._disguise = disguise

    def enter(self, caller: str, often: int, check: Callable[[Standing], None]) -> str:
        """Count one more request, which goes on until `leave`; returns its ticket.

        `often` is how many a minute may see (0: any number). Whatever `check` raises about the caller's standing
        leaves everything as it was.
        """
        name, ticket, now = self._disguise(caller), new_id(), self._database.now()
        mine = api_requests.c.caller == name
        recent = api_requests.c.began_at > self._database.now(MINUTE)
        living = select(processes.c.id).where(self._processes.living())
        running = (
            select(func.count())
            .select_from(api_requests)
            .where(mine, api_requests.c.going_on, api_requests.c.process_id.in_(living))
        )
        tokens = select(api_usage.c.tokens).where(api_usage.c.caller == name, api_usage.c.day == _today())
        age = func.extract("epoch", now - api_requests.c.began_at)
        latest = select(age).where(mine, recent).order_by(api_requests.c.began_at.desc()).offset(max(0, often - 1))
        with self._database.write(alone=f"caller {name}") as connection:
            connection.execute(delete(api_requests).where(mine, ~recent, ~api_requests.c.going_on))
            oldest = connection.scalar(latest.limit(1)) if often else None
            check(
                Standing(
                    running=connection.scalar(running) or 0,
                    tokens=connection.scalar(tokens) or 0,
                    wait=0.0 if oldest is None else MINUTE.total_seconds() - float(oldest),
                )
            )
            connection.execute(
                insert(api_requests).values(
                    id=ticket, caller=name, process_id=self._processes.id, going_on=True, began_at=now
                )
            )
        return ticket

    def leave(self, caller: str, ticket: str, tokens: int) -> None:
        """The request has ended, with so many tokens read and written."""
        name, today = self._disguise(caller), _today()
        added = upsert(api_usage).values(caller=name, day=today, tokens=tokens)
        added = added.on_conflict_do_update(
            index_elements=["caller", "day"], set_={"tokens": api_usage.c.tokens + tokens}
        )
        with self._database.write(durable=False) as connection:
            connection.execute(update(api_requests).where(api_requests.c.id == ticket).values(going_on=False))
            if tokens:
                connection.execute(added)
                connection.execute(delete(api_usage).where(api_usage.c.day < today))


def _today() -> str:
    return utc_now().date().isoformat()
