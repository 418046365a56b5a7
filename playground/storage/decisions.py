"""What the gate decided, for review and for numbers. Never the text it decided about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import insert, select

from playground.domain import Language, Ruling, Verdict, new_id, utc_now
from playground.storage.database import Database
from playground.storage.records import telling
from playground.storage.schema import decisions


class DecisionStore:
    """One row for every ruling of a verdict; a verdict without rulings (a check that could not run) has one row."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(
        self,
        verdicts: Iterable[Verdict],
        *,
        language: Language,
        model_id: str,
        conversation_id: str | None,
    ) -> None:
        """Keep these verdicts.

        Raises StorageError.
        """
        about = {"language": language, "model_id": model_id, "conversation_id": conversation_id}
        rows = [_row(verdict, ruling) | about for verdict in verdicts for ruling in (telling(verdict) or (None,))]
        if rows:
            with self._database.write() as connection:
                connection.execute(insert(decisions), rows)

    def newest(self, limit: int = 100) -> list[dict[str, Any]]:
        """The latest rows as dictionaries, newest first.

        Raises StorageError.
        """
        latest = select(decisions).order_by(decisions.c.created_at.desc(), decisions.c.id).limit(limit)
        with self._database.read() as connection:
            return [dict(row) for row in connection.execute(latest).mappings()]


def _row(verdict: Verdict, ruling: Ruling | None) -> dict[str, Any]:
    finding = ruling.finding if ruling else None
    return {
        "id": new_id(),
        "verdict_id": verdict.id,
        "direction": verdict.direction.value,
        "action": (ruling.action if ruling else verdict.action).value,
        "category": finding and finding.category,
        "score": finding and finding.score,
        "threshold": ruling and ruling.threshold,
        "span_start": finding and finding.span[0],
        "span_end": finding and finding.span[1],
        "detector": finding and finding.detector,
        "version": finding and finding.version,
        "policy": verdict.policy,
        "degraded": list(verdict.degraded),
        "unavailable": verdict.unavailable,
        "elapsed_ms": verdict.elapsed_ms,
        "created_at": utc_now(),
    }
