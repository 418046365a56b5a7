"""Which app process writes in which conversation, what is asked of it by the others, and how far it is.

A conversation is held by at most one process. What is held outlives neither a power cut nor its process: see
`storage.processes`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from playground.domain import Message
from playground.storage.database import Database
from playground.storage.processes import ProcessStore
from playground.storage.records import message_of
from playground.storage.schema import messages, processes, writing

WATCHED = timedelta(seconds=3)
"""How long after somebody looked an answer counts as watched."""
_MARK_AFTER = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Held:
    """An answer that some process writes; `age` is seconds since it began."""

    owner: str
    conversation_id: str
    run_id: str
    user_message_id: str | None
    message_id: str
    age: float


@dataclass(frozen=True, slots=True)
class Order:
    """What this process holds, and what the others ask of it: to stop with a reason, to tell how far it is."""

    conversation_id: str
    run_id: str | None
    stop: str | None
    watched: bool


class WritingStore:
    """The conversations of one process among those of the others; for databases that processes share.

    Every method raises StorageError when the database cannot do its work.
    """

    def __init__(self, database: Database, processes: ProcessStore) -> None:
        self._database = database
        self._processes = processes

    def claim(self, owner: str, conversation_id: str, *, from_the_dead: bool) -> bool:
        """Hold a conversation; False when another process does.

        `from_the_dead`: also when that one counts as dead. What this process held there before ends.
        """
        mine = {"process_id": self._processes.id, "owner": owner, "began_at": self._database.now()}
        blank = dict.fromkeys(("run_id", "user_message_id", "message_id", "stop", "watched_at", "state"))
        free = writing.c.process_id == self._processes.id
        if from_the_dead:
            living = select(processes.c.id).where(self._processes.living())
            free = or_(free, writing.c.process_id.not_in(living))
        held = insert(writing).values(conversation_id=conversation_id, **mine)
        taken = held.on_conflict_do_update(index_elements=["conversation_id"], set_=mine | blank, where=free)
        with self._database.write(durable=False) as connection:
            return connection.execute(taken.returning(writing.c.conversation_id)).first() is not None

    def begin(self, conversation_id: str, run_id: str, user_message_id: str | None, message_id: str | None) -> None:
        """The answer is being written from now on."""
        told = {"run_id": run_id, "user_message_id": user_message_id, "message_id": message_id}
        with self._database.write(durable=False) as connection:
            connection.execute(self._mine(conversation_id).values(told))

    def release(self, conversation_id: str, run_id: str | None) -> None:
        """Hold it no longer, unless another answer of this process has begun there since."""
        ended = writing.c.run_id.is_not_distinct_from(run_id)
        held = (writing.c.conversation_id == conversation_id, writing.c.process_id == self._processes.id)
        with self._database.write(durable=False) as connection:
            connection.execute(delete(writing).where(*held, ended))

    def orders(self) -> list[Order]:
        """Everything that this process holds."""
        watched = func.coalesce(writing.c.watched_at > self._database.now(WATCHED), False).label("watched")
        told = select(writing.c.conversation_id, writing.c.run_id, writing.c.stop, watched)
        with self._database.read() as connection:
            return [
                Order(*row) for row in connection.execute(told.where(writing.c.process_id == self._processes.id)).all()
            ]

    def tell(self, conversation_id: str, state: Mapping[str, Any]) -> None:
        """How far an answer is, for those who watch it from other processes; its text is in its message."""
        with self._database.write(durable=False) as connection:
            connection.execute(self._mine(conversation_id).values(state=dict(state)))

    def find(self, owner: str, conversation_id: str) -> Held | None:
        """The answer that another living process writes in this conversation of `owner`."""
        age = func.extract("epoch", self._database.now() - writing.c.began_at).label("age")
        found = (
            select(writing, age)
            .join(processes, processes.c.id == writing.c.process_id)
            .where(writing.c.conversation_id == conversation_id, writing.c.owner == owner)
            .where(writing.c.process_id != self._processes.id, writing.c.message_id.is_not(None))
            .where(self._processes.living())
        )
        with self._database.read() as connection:
            row = connection.execute(found).mappings().first()
        if row is None:
            return None
        return Held(owner, conversation_id, row["run_id"], row["user_message_id"], row["message_id"], float(row["age"]))

    def stop(self, run_id: str, reason: str) -> None:
        """Ask whichever process writes this answer to end it; the first reason stays."""
        asked = update(writing).where(writing.c.run_id == run_id, writing.c.stop.is_(None)).values(stop=reason)
        with self._database.write(durable=False) as connection:
            connection.execute(asked)

    def look(self, message_ids: Collection[str]) -> dict[str, tuple[Message, dict[str, Any] | None]]:
        """Answers as they are now, with what their process tells of them; from now on they count as watched."""
        seldom = or_(writing.c.watched_at.is_(None), writing.c.watched_at < self._database.now(_MARK_AFTER))
        seen = update(writing).where(writing.c.message_id.in_(message_ids), seldom)
        told = (
            select(messages, writing.c.state)
            .outerjoin(writing, writing.c.message_id == messages.c.id)
            .where(messages.c.id.in_(message_ids))
        )
        with self._database.write(durable=False) as connection:
            connection.execute(seen.values(watched_at=self._database.now()))
            rows = connection.execute(told).mappings().all()
        return {row["id"]: (message_of(row), row["state"]) for row in rows}

    def loads(self) -> Counter[str]:
        """How many answers the other processes write, or have waiting, per owner."""
        counted = select(writing.c.owner, func.count()).where(writing.c.process_id != self._processes.id)
        with self._database.read() as connection:
            rows = connection.execute(counted.group_by(writing.c.owner)).all()
        return Counter({row[0]: int(row[1]) for row in rows})

    def _mine(self, conversation_id: str) -> Any:
        return update(writing).where(
            writing.c.conversation_id == conversation_id, writing.c.process_id == self._processes.id
        )
