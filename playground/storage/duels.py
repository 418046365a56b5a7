"""Batches, kept: what is asked of which models, and the pairs of answers that people grade.

The answers are conversations whose `comparison_id` is the batch's id; a pair is a comparison of this batch. A pair that
nobody is grading has no owner, so that it can be given to whoever comes next.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, RowMapping, Select, and_, case, func, insert, or_, select, update

from playground.domain import FinishReason, utc_now
from playground.errors import UnknownConversation
from playground.storage.database import Database
from playground.storage.schema import comparison_sides, comparisons, conversations, duels, messages

MOST_LISTED = 100
CLAIM_TIME = timedelta(minutes=30)
"""How long a pair stays with whoever was given it without grading it."""
_WRITTEN = (FinishReason.STOP.value, FinishReason.LENGTH.value)


@dataclass(frozen=True, slots=True)
class KeptDuel:
    """A batch. A question is None where the gate held it back: its words are then kept nowhere."""

    id: str
    models: tuple[str, ...]
    questions: tuple[str | None, ...]
    created_at: datetime = field(default_factory=utc_now)

    @property
    def total(self) -> int:
        """How many answers there are to be."""
        return len(self.models) * sum(question is not None for question in self.questions)


@dataclass(frozen=True, slots=True)
class Tally:
    """How far a batch is. `answers` are those that will not be asked for again, `pairs` those to be graded.

    For one person: `left` are the pairs that they could be given now, `mine` those they graded, and `hidden` those of
    them whose models they have not been shown.
    """

    answers: int = 0
    pairs: int = 0
    graded: int = 0
    left: int = 0
    mine: int = 0
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class GradedPair:
    """A pair with its grade: the models left and right, and the vote."""

    id: str
    title: str
    models: tuple[str, str]
    winner: str


class DuelStore:
    """Every method raises StorageError when the database cannot do its work, and those that take a pair raise
    UnknownConversation when it is not with its `owner`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, duel: KeptDuel) -> None:
        """Keep a batch; one that is there already stays as it is. Acknowledged."""
        known = select(duels.c.id).where(duels.c.id == duel.id)
        record = {
            "id": duel.id,
            "models": list(duel.models),
            "questions": list(duel.questions),
            "created_at": duel.created_at,
        }
        with self._database.write() as connection:
            if connection.scalar(known) is None:
                connection.execute(insert(duels).values(record))

    def find(self, duel_id: str) -> KeptDuel | None:
        """One batch; None when it is not there."""
        with self._database.read() as connection:
            row = connection.execute(select(duels).where(duels.c.id == duel_id)).mappings().first()
        return None if row is None else _duel(row)

    def get(self, duel_id: str) -> KeptDuel:
        """One batch. Raises UnknownConversation when it is not there."""
        found = self.find(duel_id)
        if found is None:
            raise UnknownConversation("This batch does not exist. Choose another one from the list.")
        return found

    def listed(self) -> list[KeptDuel]:
        """The newest batches first, at most `MOST_LISTED`."""
        newest = select(duels).order_by(duels.c.created_at.desc(), duels.c.id).limit(MOST_LISTED)
        with self._database.read() as connection:
            return [_duel(row) for row in connection.execute(newest).mappings()]

    def tallies(self, owner: str, duel_ids: Collection[str]) -> dict[str, Tally]:
        """How far these batches are, as `owner` sees them."""
        graded = comparisons.c.winner.is_not(None)
        mine = and_(graded, comparisons.c.owner == owner)
        counted = (
            select(
                comparisons.c.batch,
                func.count().label("pairs"),
                _count(graded).label("graded"),
                _count(_given_to(owner)).label("left"),
                _count(mine).label("mine"),
                _count(and_(mine, comparisons.c.revealed.is_(False))).label("hidden"),
            )
            .where(comparisons.c.batch.in_(duel_ids))
            .group_by(comparisons.c.batch)
        )
        with self._database.read() as connection:
            pairs = {row["batch"]: dict(row) for row in connection.execute(counted).mappings()}
            answers = {row[0]: row[1] for row in connection.execute(_answers(duel_ids))}
        return {
            duel_id: Tally(
                answers=int(answers.get(duel_id, 0)),
                **{name: int(count) for name, count in pairs.get(duel_id, {}).items() if name != "batch"},
            )
            for duel_id in duel_ids
        }

    def pairs(self, duel_id: str) -> set[str]:
        """The ids of a batch's pairs."""
        with self._database.read() as connection:
            return set(connection.scalars(select(comparisons.c.id).where(comparisons.c.batch == duel_id)))

    def claim(self, owner: str, duel_id: str | None = None) -> str | None:
        """The id of a pair that waits for a grade, from now on `owner`'s; None when none waits. None asks all batches.

        Whoever has one already gets that again, the newest first; else the one that has waited longest, in an order
        that has nothing to do with the questions'. One that stays without a grade for `CLAIM_TIME` goes to the next.
        """
        chosen = comparisons.c.batch.is_not(None) if duel_id is None else comparisons.c.batch == duel_id
        mine = select(comparisons.c.id).where(chosen, comparisons.c.winner.is_(None), comparisons.c.owner == owner)
        free = select(comparisons.c.id).where(chosen, _given_to(owner))
        with self._database.write(alone="batches") as connection:
            found = connection.scalar(mine.order_by(comparisons.c.updated_at.desc()).limit(1)) or connection.scalar(
                free.order_by(comparisons.c.updated_at, comparisons.c.id).limit(1).with_for_update(skip_locked=True)
            )
            if found is not None:
                taken = update(comparisons).where(comparisons.c.id == found)
                connection.execute(taken.values(owner=owner, updated_at=utc_now()))
        return found

    def release(self, owner: str, pair_id: str) -> None:
        """Put a pair that has no grade back, behind all others."""
        mine = and_(comparisons.c.id == pair_id, comparisons.c.owner == owner)
        open_one = and_(mine, comparisons.c.batch.is_not(None), comparisons.c.winner.is_(None))
        with self._database.write() as connection:
            put_back = update(comparisons).where(open_one).values(owner="", updated_at=utc_now())
            if not connection.execute(put_back).rowcount:
                raise UnknownConversation("This pair is not yours to grade any more. Go on with the next one.")

    def last_graded(self, owner: str, duel_id: str) -> str | None:
        """The id of the pair that `owner` graded last in a batch, while its models are hidden; None without one."""
        hidden = select(comparisons.c.id).where(_graded_by(owner, duel_id), comparisons.c.revealed.is_(False))
        with self._database.read() as connection:
            return connection.scalar(hidden.order_by(comparisons.c.updated_at.desc()).limit(1))

    def reveal(self, owner: str, duel_id: str) -> list[str]:
        """Show the models of all pairs that `owner` graded in a batch; returns their ids."""
        hidden = and_(_graded_by(owner, duel_id), comparisons.c.revealed.is_(False))
        with self._database.write() as connection:
            found = list(connection.scalars(select(comparisons.c.id).where(hidden)))
            connection.execute(update(comparisons).where(hidden).values(revealed=True))
        return found

    def revealed(self, owner: str, duel_id: str) -> list[GradedPair]:
        """The pairs that `owner` graded in a batch and whose models were shown, in order of grading."""
        columns = (comparisons.c.id, comparisons.c.title, comparisons.c.winner, conversations.c.model_id)
        shown = (
            select(*columns)
            .join(comparison_sides, comparison_sides.c.comparison_id == comparisons.c.id)
            .join(conversations, conversations.c.id == comparison_sides.c.conversation_id)
            .where(_graded_by(owner, duel_id), comparisons.c.revealed)
            .order_by(comparisons.c.updated_at, comparisons.c.id, comparison_sides.c.position)
        )
        with self._database.read() as connection:
            rows = connection.execute(shown).all()
        return [
            GradedPair(left.id, left.title, (left.model_id or "", right.model_id or ""), left.winner or "")
            for left, right in zip(rows[::2], rows[1::2], strict=True)
        ]


def _given_to(owner: str) -> ColumnElement[bool]:
    """Pairs without a grade that are free, `owner`'s already, or were left by whoever had them."""
    late = comparisons.c.updated_at < utc_now() - CLAIM_TIME
    return and_(comparisons.c.winner.is_(None), or_(comparisons.c.owner.in_(("", owner)), late))


def _graded_by(owner: str, duel_id: str) -> ColumnElement[bool]:
    return and_(comparisons.c.batch == duel_id, comparisons.c.owner == owner, comparisons.c.winner.is_not(None))


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _answers(duel_ids: Collection[str]) -> Select[str | None, int]:
    """Answers that came to their end, or that the gate held back, by batch."""
    written = and_(messages.c.finish_reason.in_(_WRITTEN), messages.c.content != "")
    done = or_(written, messages.c.finish_reason == FinishReason.CONTENT_FILTER.value)
    return (
        select(conversations.c.comparison_id, func.count())
        .join(messages, messages.c.id == conversations.c.leaf_id)
        .where(conversations.c.comparison_id.in_(duel_ids), messages.c.role == "assistant", done)
        .group_by(conversations.c.comparison_id)
    )


def _duel(row: RowMapping) -> KeptDuel:
    return KeptDuel(row["id"], tuple(row["models"]), tuple(row["questions"]), row["created_at"])
