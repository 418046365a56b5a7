"""What the gate decided, for review and for numbers. Never the text it decided about."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from sqlalchemy import RowMapping, func, insert, select

from playground.domain import Action, Direction, Finding, Language, Ruling, Verdict, new_id, utc_now
from playground.storage.database import Database
from playground.storage.records import telling
from playground.storage.schema import decisions, messages

MOST_READ = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One ruling of a verdict, as it was stored; a check that could not run has one without a category.

    `ruling` is the finding with what was done; `owner` None, and lengths of 0, are from before they were kept.
    """

    verdict_id: str
    owner: str | None
    conversation_id: str | None
    direction: Direction
    action: Action
    ruling: Ruling | None
    policy: str
    language: str
    model_id: str
    degraded: tuple[str, ...]
    unavailable: bool
    elapsed_ms: float
    text_hash: str
    text_length: int
    created_at: datetime

    @classmethod
    def of(cls, row: RowMapping) -> Self:
        """From its row."""
        action = Action(row["action"])
        return cls(
            verdict_id=row["verdict_id"],
            owner=row["owner"],
            conversation_id=row["conversation_id"],
            direction=Direction(row["direction"]),
            action=action,
            ruling=None if row["category"] is None else _ruling(row, action),
            policy=row["policy"],
            language=row["language"],
            model_id=row["model_id"],
            degraded=tuple(row["degraded"]),
            unavailable=row["unavailable"],
            elapsed_ms=row["elapsed_ms"],
            text_hash=row["text_hash"] or "",
            text_length=row["text_length"] or 0,
            created_at=row["created_at"],
        )


class DecisionStore:
    """One row for every ruling of a verdict; a verdict without rulings (a check that could not run) has one row.

    `observe` hears of every verdict, whether it can be kept or not. Every method raises StorageError when
    the database cannot do its work.
    """

    def __init__(self, database: Database, observe: Callable[[Verdict], None] = lambda _: None) -> None:
        self._database = database
        self._observe = observe

    def record(
        self,
        verdicts: Iterable[Verdict],
        *,
        owner: str,
        language: Language,
        model_id: str,
        conversation_id: str | None,
    ) -> None:
        """Keep these verdicts; `language` is that of the page, for a verdict that does not say its own."""
        verdicts = tuple(verdicts)
        for verdict in verdicts:
            self._observe(verdict)
        about = {"owner": owner, "model_id": model_id, "conversation_id": conversation_id}
        rows = [
            _row(verdict, ruling) | about | {"language": verdict.language or language}
            for verdict in verdicts
            for ruling in (telling(verdict) or (None,))
        ]
        if rows:
            with self._database.write() as connection:
                connection.execute(insert(decisions), rows)

    def newest(self, limit: int = 100) -> list[dict[str, Any]]:
        """The latest rows as dictionaries, newest first."""
        latest = select(decisions).order_by(decisions.c.created_at.desc(), decisions.c.id).limit(limit)
        with self._database.read() as connection:
            return [dict(row) for row in connection.execute(latest).mappings()]

    def of_verdict(self, owner: str, verdict_id: str) -> list[Decision]:
        """The rows of one verdict about `owner`'s conversation; none when it is somebody else's."""
        mine = select(decisions).where(decisions.c.verdict_id == verdict_id, decisions.c.owner == owner)
        with self._database.read() as connection:
            return [Decision.of(row) for row in connection.execute(mine).mappings()]

    def since(self, moment: datetime) -> list[Decision]:
        """Every row from that moment on, oldest first; of more than `MOST_READ`, the newest."""
        latest = (
            select(decisions)
            .where(decisions.c.created_at >= moment)
            .order_by(decisions.c.created_at.desc(), decisions.c.id)
            .limit(MOST_READ)
        )
        with self._database.read() as connection:
            return [Decision.of(row) for row in connection.execute(latest).mappings()][::-1]

    def messages_since(self, moment: datetime) -> dict[tuple[Direction, str], int]:
        """How many messages were stored from that moment on, by direction and model ("" for what people typed)."""
        counted = (
            select(messages.c.role, messages.c.model_id, func.count())
            .where(messages.c.created_at >= moment)
            .group_by(messages.c.role, messages.c.model_id)
        )
        ways = {"user": Direction.INPUT, "assistant": Direction.OUTPUT}
        with self._database.read() as connection:
            rows = connection.execute(counted).all()
        return {(ways[role], model_id or ""): count for role, model_id, count in rows if role in ways}


def _ruling(row: RowMapping, action: Action) -> Ruling:
    finding = Finding(
        category=row["category"],
        score=row["score"],
        span=(row["span_start"], row["span_end"]),
        detector=row["detector"],
        version=row["version"],
        windows=row["windows"] or 1,
    )
    return Ruling(finding, action, row["threshold"], Action(row["shadow"]) if row["shadow"] else None)


def _row(verdict: Verdict, ruling: Ruling | None) -> dict[str, Any]:
    finding = ruling.finding if ruling else None
    return {
        "id": new_id(),
        "verdict_id": verdict.id,
        "direction": verdict.direction.value,
        "action": (ruling.action if ruling else verdict.action).value,
        "shadow": ruling and ruling.shadow and ruling.shadow.value,
        "category": finding and finding.category,
        "score": finding and finding.score,
        "threshold": ruling and ruling.threshold,
        "span_start": finding and finding.span[0],
        "span_end": finding and finding.span[1],
        "windows": finding and finding.windows,
        "detector": finding and finding.detector,
        "version": finding and finding.version,
        "policy": verdict.policy,
        "degraded": list(verdict.degraded),
        "unavailable": verdict.unavailable,
        "elapsed_ms": verdict.elapsed_ms,
        "text_hash": verdict.text_hash or None,
        "text_length": verdict.text_length or None,
        "created_at": utc_now(),
    }
