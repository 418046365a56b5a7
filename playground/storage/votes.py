"""What people voted, with everything needed to judge it again, and none of their or the models' words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple, Self

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from playground.domain import new_id, utc_now
from playground.errors import InvalidRequest
from playground.storage.database import Database
from playground.storage.schema import votes

_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class VotedSide:
    """One answer that was voted on: what made it, and figures about it.

    `params` are sampling parameters by name. `conversation_hash` is a keyed hash of all turns. `style` counts of the
    newest answer, by name (None: not known); `tokens` are those of all its answers, `finish_reasons` how each ended.
    `position` is 0 on the left. `system_prompt_hash` is keyed; empty without a system prompt.
    """

    revision: str = ""
    precision: str = ""
    engine: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    conversation_hash: str = ""
    style: Mapping[str, int] | None = None
    tokens: int = 0
    position: int = 0
    system_prompt_hash: str = ""
    finish_reasons: tuple[str, ...] = ()

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """From its column; votes of earlier versions lack some of it."""
        return cls(**{**record, "finish_reasons": tuple(record.get("finish_reasons", ()))})

    def record(self) -> dict[str, Any]:
        """Its column."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One vote. `session` is a keyed hash of whose it is, `prompt_hash` one of the questions; `turns` counts those.

    `mode` and `schedule` are the comparison's, `tainted` that a model told its name while it was blind.
    `comparison_id` is where it can still be changed: `imported` ones, which came from a file, have none, nor have votes
    on sides that were changed.
    """

    model_a: str
    model_b: str
    winner: str
    mode: str
    session: str
    prompt_hash: str
    comparison_id: str | None = None
    tainted: bool = False
    language: str = "en"
    category: str = ""
    turns: int = 1
    schedule: str = ""
    side_a: VotedSide = field(default_factory=VotedSide)
    side_b: VotedSide = field(default_factory=VotedSide)
    imported: bool = False
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)
    changed_at: datetime = field(default_factory=utc_now)

    @classmethod
    def of(cls, row: RowMapping) -> Self:
        """From its row."""
        values = {name: row[name] for name in cls.__slots__}
        return cls(**{**values, "side_a": VotedSide.of(row["side_a"]), "side_b": VotedSide.of(row["side_b"])})

    def record(self) -> dict[str, Any]:
        """Its columns."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return values | {"side_a": self.side_a.record(), "side_b": self.side_b.record()}


class CastRow(NamedTuple):
    """What ratings are computed from: a vote's own columns, with the style of both answers (None: not known)."""

    id: str
    model_a: str
    model_b: str
    winner: str
    mode: str
    imported: bool
    tainted: bool
    language: str
    category: str
    session: str
    prompt_hash: str
    style_a: Mapping[str, int] | None
    style_b: Mapping[str, int] | None


_TURN = "votes"
"""Whoever writes votes does so alone, in all processes: their times of change then grow as they become visible."""


def _later_than_all(connection: Connection) -> datetime:
    """Now, or just after the latest change, whatever the clocks of the processes say."""
    latest = connection.scalar(select(func.max(votes.c.changed_at)))
    return utc_now() if latest is None else max(utc_now(), latest + timedelta(microseconds=1))


class VoteStore:
    """`changed_at` of a vote is set when it is kept.

    Every method raises StorageError when the database cannot do its work.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def cast(self, vote: Vote) -> Vote:
        """Keep a vote, or change the one that this comparison has, while nothing was asked since; acknowledged.

        Raises InvalidRequest when there is a vote about earlier answers.
        """
        with self._database.write(alone=_TURN) as connection:
            same = select(votes).where(votes.c.comparison_id == vote.comparison_id)
            known = connection.execute(same).mappings().first()
            now = _later_than_all(connection)
            if known is None:
                vote = replace(vote, changed_at=now)
                connection.execute(insert(votes).values(vote.record()))
                return vote
            if known["turns"] != vote.turns:
                raise InvalidRequest("You voted before the newest question. Start another battle to vote again.")
            kept = replace(vote, id=known["id"], created_at=known["created_at"], changed_at=now)
            connection.execute(update(votes).where(votes.c.id == kept.id).values(kept.record()))
            return kept

    def settle(self, comparison_id: str) -> None:
        """Keep the vote on a comparison, if there is one, as it is for good: its sides are about to be others.

        The comparison has none then, and another can be cast. Acknowledged.
        """
        with self._database.write() as connection:
            connection.execute(update(votes).where(votes.c.comparison_id == comparison_id).values(comparison_id=None))

    def withdraw(self, comparison_id: str) -> None:
        """Remove the vote on a comparison, if there is one; acknowledged."""
        with self._database.write() as connection:
            connection.execute(delete(votes).where(votes.c.comparison_id == comparison_id))

    def add(self, imported: Iterable[Vote]) -> int:
        """Keep votes from elsewhere, all of them or none; those that are there already stay as they are.

        Returns how many are new.
        """
        count, left = 0, iter(imported)
        with self._database.write(alone=_TURN) as connection:
            now = _later_than_all(connection)
            known = set(connection.scalars(select(votes.c.id).where(votes.c.imported)))
            while part := list(islice(left, _AT_ONCE)):
                fresh = [vote.record() | {"changed_at": now} for vote in part if vote.id not in known]
                if fresh:
                    connection.execute(insert(votes), fresh)
                count += len(fresh)
        return count

    def of_comparison(self, comparison_id: str) -> Vote | None:
        """The vote on a comparison."""
        with self._database.read() as connection:
            row = connection.execute(select(votes).where(votes.c.comparison_id == comparison_id)).mappings().first()
        return None if row is None else Vote.of(row)

    def changed_since(self, moment: datetime | None) -> Iterator[list[CastRow]]:
        """The votes that were cast or changed after that moment (None: all), oldest first, many at a time.

        No two writes have the same moment, see `_later_than_all`; all votes of a file have one.
        """
        plain = [votes.c[name] for name in CastRow._fields[:-2]]
        styles = [votes.c[side]["style"].label(f"style_{side[-1]}") for side in ("side_a", "side_b")]
        found = select(*plain, *styles).order_by(votes.c.created_at, votes.c.id)
        if moment is not None:
            found = found.where(votes.c.changed_at > moment)
        with self._database.read() as connection:
            for part in connection.execute(found).partitions(_AT_ONCE):
                yield [CastRow(*row) for row in part]

    def every(self) -> Iterator[Vote]:
        """All votes in the order of their ids, which tells nothing of when they were cast."""
        last = ""
        while True:
            part = select(votes).where(votes.c.id > last).order_by(votes.c.id).limit(_AT_ONCE)
            with self._database.read() as connection:
                rows = [Vote.of(row) for row in connection.execute(part).mappings()]
            yield from rows
            if len(rows) < _AT_ONCE:
                return
            last = rows[-1].id

    def on_one_model(self) -> int:
        """How many votes are on a model against itself."""
        alone = select(func.count()).select_from(votes).where(votes.c.model_a == votes.c.model_b)
        with self._database.read() as connection:
            return int(connection.scalar(alone) or 0)

    def state(self) -> tuple[int, datetime | None]:
        """How many votes there are, and when one was last cast or changed: the same as long as nothing changed."""
        with self._database.read() as connection:
            row = connection.execute(select(func.count(), func.max(votes.c.changed_at)).select_from(votes)).one()
        return int(row[0]), row[1]
