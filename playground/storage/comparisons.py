"""Comparisons and their sides, kept; each side's words are in a conversation of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, delete, func, insert, or_, select, update

from playground.domain import Language, SamplingParams, new_id, utc_now
from playground.errors import UnknownConversation
from playground.storage.database import Database
from playground.storage.records import params_of
from playground.storage.schema import comparison_sides, comparisons, conversations, writing

MOST_LISTED = 500
_IDS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class KeptSide:
    """A side's conversation with its options.

    `began` is when the conversation was made, or, of one that goes on with turns of before a change of its model or
    settings, when the last of these was written.
    """

    conversation_id: str
    model_id: str
    params: SamplingParams | None
    system_prompt: str
    began: datetime


class SideStamp(NamedTuple):
    """A side at one moment: equal as long as nothing happened. `run_id` is that of the answer being written there."""

    conversation_id: str
    leaf_id: str | None
    run_id: str | None
    side_changed: datetime
    changed: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptComparison:
    """A comparison as its row; `sides` are in order of their position. `batch` is the duel it belongs to."""

    owner: str
    mode: str
    schedule: str
    language: Language
    sides: tuple[KeptSide, ...] = ()
    winner: str | None = None
    revealed: bool = False
    tainted: bool = False
    title: str = ""
    batch: str | None = None
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)
    updated_at: datetime = field(default_factory=utc_now)


_COLUMNS = tuple(name for name in KeptComparison.__slots__ if name != "sides")


class ComparisonStore:
    """Every method raises StorageError when the database cannot do its work, and those that take a comparison raise
    UnknownConversation when `owner` has none with that id.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, comparison: KeptComparison, conversation_ids: Sequence[str]) -> None:
        """Keep a new comparison whose sides' conversations are there already; acknowledged."""
        record: dict[str, Any] = {name: getattr(comparison, name) for name in _COLUMNS}
        with self._database.write() as connection:
            connection.execute(insert(comparisons).values(record))
            connection.execute(insert(comparison_sides), _sides(comparison.id, conversation_ids))

    def get(self, owner: str, comparison_id: str) -> KeptComparison:
        """One comparison with its sides."""
        found = select(comparisons).where(_visible(owner, comparison_id))
        with self._database.read() as connection:
            row = connection.execute(found).mappings().first()
            if row is None:
                raise _unknown()
            return _comparison(row, connection.execute(_joined(comparisons.c.id == comparison_id)).mappings().all())

    def stamp(self, owner: str, comparison_id: str) -> list[SideStamp]:
        """Changes whenever a side is asked, answered or put in another's place, or the comparison voted on, by
        whichever process.
        """
        side = (comparison_sides.c.conversation_id, conversations.c.leaf_id, writing.c.run_id)
        told = (
            select(*side, conversations.c.updated_at, comparisons.c.updated_at)
            .join(comparison_sides, comparison_sides.c.comparison_id == comparisons.c.id)
            .join(conversations, conversations.c.id == comparison_sides.c.conversation_id)
            .outerjoin(writing, writing.c.conversation_id == conversations.c.id)
            .where(comparisons.c.id == comparison_id, comparisons.c.owner == owner)
            .order_by(comparison_sides.c.position)
        )
        with self._database.read() as connection:
            return [SideStamp(*row) for row in connection.execute(told)]

    def listed(self, owner: str) -> list[KeptComparison]:
        """The newest comparisons of `owner` that were asked something, at most `MOST_LISTED`."""
        mine = (
            select(comparisons)
            .where(
                comparisons.c.owner == owner,
                comparisons.c.title != "",
                comparisons.c.batch.is_(None),
                comparisons.c.deleted_at.is_(None),
            )
            .order_by(comparisons.c.updated_at.desc(), comparisons.c.id)
            .limit(MOST_LISTED)
        )
        with self._database.read() as connection:
            rows = connection.execute(mine).mappings().all()
            sides = connection.execute(_joined(comparisons.c.owner == owner)).mappings().all()
        by_comparison: dict[str, list[RowMapping]] = {}
        for side in sides:
            by_comparison.setdefault(side["comparison_id"], []).append(side)
        return [_comparison(row, by_comparison.get(row["id"], [])) for row in rows]

    def fruitless(self, mode: str) -> dict[str, int]:
        """How many comparisons of this mode each model took part in that gave no vote, or a tainted one."""
        without = (
            select(conversations.c.model_id, func.count())
            .select_from(comparisons)
            .join(comparison_sides, comparison_sides.c.comparison_id == comparisons.c.id)
            .join(conversations, conversations.c.id == comparison_sides.c.conversation_id)
            .where(comparisons.c.mode == mode, or_(comparisons.c.winner.is_(None), comparisons.c.tainted))
            .group_by(conversations.c.model_id)
        )
        with self._database.read() as connection:
            return {model_id or "": count for model_id, count in connection.execute(without)}

    def change(self, owner: str, comparison_id: str, **values: Any) -> None:
        """Keep other values of some columns, and that the comparison changed now; acknowledged."""
        with self._database.write() as connection:
            _change(connection, owner, comparison_id, values)

    def put_sides(self, owner: str, comparison_id: str, conversation_ids: Sequence[str], *, winner: str | None) -> None:
        """Let these conversations be the sides from now on, and this the vote on them; acknowledged."""
        with self._database.write() as connection:
            _change(connection, owner, comparison_id, {"winner": winner})
            connection.execute(delete(comparison_sides).where(comparison_sides.c.comparison_id == comparison_id))
            connection.execute(insert(comparison_sides), _sides(comparison_id, conversation_ids))

    def delete(self, owner: str, comparison_id: str) -> None:
        """Hide a comparison until it is restored or purged; its vote stays. Pairs of a batch are not one's own."""
        mine = and_(_visible(owner, comparison_id), comparisons.c.batch.is_(None))
        with self._database.write() as connection:
            if not connection.execute(update(comparisons).where(mine).values(deleted_at=utc_now())).rowcount:
                raise _unknown()

    def restore(self, owner: str, comparison_id: str) -> None:
        """Bring back a deleted comparison (one that is there stays as it is)."""
        mine = and_(comparisons.c.id == comparison_id, comparisons.c.owner == owner)
        with self._database.write() as connection:
            if not connection.execute(update(comparisons).where(mine).values(deleted_at=None)).rowcount:
                raise _unknown()

    def purge(self, deleted_before: datetime) -> int:
        """Remove for good, with every word of their sides, what was deleted before that time; returns how many."""
        late = select(comparisons.c.id).where(comparisons.c.deleted_at < deleted_before)
        with self._database.write() as connection:
            gone = list(connection.scalars(late))
            for start in range(0, len(gone), _IDS_AT_ONCE):
                part = gone[start : start + _IDS_AT_ONCE]
                connection.execute(delete(conversations).where(conversations.c.comparison_id.in_(part)))
                connection.execute(delete(comparisons).where(comparisons.c.id.in_(part)))
        return len(gone)


def _visible(owner: str, comparison_id: str) -> ColumnElement[bool]:
    return and_(comparisons.c.id == comparison_id, comparisons.c.owner == owner, comparisons.c.deleted_at.is_(None))


def _change(connection: Connection, owner: str, comparison_id: str, values: Mapping[str, Any]) -> None:
    changed = update(comparisons).where(_visible(owner, comparison_id)).values(**values, updated_at=utc_now())
    if not connection.execute(changed).rowcount:
        raise _unknown()


def _joined(chosen: Any) -> Any:
    return (
        select(
            comparison_sides.c.comparison_id,
            comparison_sides.c.conversation_id,
            conversations.c.model_id,
            conversations.c.params,
            conversations.c.system_prompt,
            conversations.c.created_at.label("began"),
        )
        .join(conversations, conversations.c.id == comparison_sides.c.conversation_id)
        .join(comparisons, comparisons.c.id == comparison_sides.c.comparison_id)
        .where(chosen)
        .order_by(comparison_sides.c.comparison_id, comparison_sides.c.position)
    )


def _sides(comparison_id: str, conversation_ids: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"comparison_id": comparison_id, "position": position, "conversation_id": conversation_id}
        for position, conversation_id in enumerate(conversation_ids)
    ]


def _comparison(row: RowMapping, sides: Sequence[RowMapping]) -> KeptComparison:
    kept = tuple(
        KeptSide(
            conversation_id=side["conversation_id"],
            model_id=side["model_id"] or "",
            params=None if side["params"] is None else params_of(side["params"]),
            system_prompt=side["system_prompt"],
            began=side["began"],
        )
        for side in sides
    )
    return KeptComparison(**{name: row[name] for name in _COLUMNS}, sides=kept)


def _unknown() -> UnknownConversation:
    return UnknownConversation("This comparison does not exist. Choose another one, or start a new one.")
