"""Mistakes of the gate that people told of, and what the operator made of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Self, get_args

from sqlalchemy import RowMapping, func, insert, or_, select, update

from playground.domain import Action, Direction, new_id, utc_now
from playground.errors import InvalidRequest
from playground.storage.database import Database
from playground.storage.schema import reports

Kind = Literal["wrong", "missed"]
"""What a person says: this should not have been flagged, or this should have been."""
Label = Literal["right", "wrong", "unsure"]
"""What the operator says about the gate's decision."""
LABELS: tuple[Label, ...] = get_args(Label)
MOST_LISTED = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What one detector said. `span` is in the text that `text_hash` of the report is of, as far as it is known."""

    category: str
    score: float
    threshold: float
    detector: str
    version: str
    span: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One person's word about one decision, or about one answer that nothing was said about.

    `action` is what the gate had done. `text` is None unless the operator keeps reported texts; what a model wrote and
    the gate blocked is never kept.
    """

    owner: str
    kind: Kind
    subject_id: str
    direction: Direction
    action: Action
    policy: str
    language: str
    model_id: str
    scores: tuple[Score, ...]
    text_hash: str
    text_length: int
    text: str | None = None
    label: Label | None = None
    labelled_at: datetime | None = None
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)

    @classmethod
    def of(cls, row: RowMapping) -> Self:
        """From its row."""
        values = {name: row[name] for name in cls.__slots__}
        scores = tuple(Score(**{**score, "span": tuple(score["span"])}) for score in row["scores"])
        return cls(
            **{**values, "direction": Direction(row["direction"]), "action": Action(row["action"]), "scores": scores}
        )

    def record(self) -> dict[str, Any]:
        """Its columns."""
        scores = [{name: getattr(score, name) for name in Score.__slots__} for score in self.scores]
        return {name: getattr(self, name) for name in self.__slots__} | {
            "direction": self.direction.value,
            "action": self.action.value,
            "scores": scores,
        }


class ReportStore:
    """Every method raises StorageError when the database cannot do its work."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, report: Report) -> Report:
        """Keep a report; who reports the same thing again gets the one that is there."""
        same = select(reports).where(reports.c.owner == report.owner, reports.c.subject_id == report.subject_id)
        with self._database.write(alone=f"report {report.owner} {report.subject_id}") as connection:
            known = connection.execute(same).mappings().first()
            if known is not None:
                return Report.of(known)
            connection.execute(insert(reports).values(report.record()))
        return report

    def listed(self, labels: Sequence[Label | None], limit: int = MOST_LISTED) -> list[Report]:
        """Reports with one of these labels (None: not yet labelled), newest first."""
        named = [label for label in labels if label is not None]
        wanted = [reports.c.label.in_(named), *([reports.c.label.is_(None)] if None in labels else [])]
        found = select(reports).where(or_(*wanted)).order_by(reports.c.created_at.desc(), reports.c.id).limit(limit)
        with self._database.read() as connection:
            return [Report.of(row) for row in connection.execute(found).mappings()]

    def among(self, owner: str, subject_ids: Collection[str]) -> frozenset[str]:
        """Which of these decisions and answers `owner` has reported."""
        mine = select(reports.c.subject_id).where(reports.c.owner == owner, reports.c.subject_id.in_(subject_ids))
        with self._database.read() as connection:
            return frozenset(connection.scalars(mine))

    def open_count(self) -> int:
        """How many wait for a label."""
        waiting = select(func.count()).select_from(reports).where(reports.c.label.is_(None))
        with self._database.read() as connection:
            return int(connection.scalar(waiting) or 0)

    def label(self, report_id: str, label: Label | None) -> None:
        """Keep what the operator says; None takes it back.

        Raises InvalidRequest when there is no such report.
        """
        said = (
            update(reports)
            .where(reports.c.id == report_id)
            .values(label=label, labelled_at=None if label is None else utc_now())
        )
        with self._database.write() as connection:
            if not connection.execute(said).rowcount:
                raise InvalidRequest("This report is not there any more. Reload the page.")
