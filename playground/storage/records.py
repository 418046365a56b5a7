"""Between domain types and what a table holds: plain values, lists and dictionaries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import RowMapping

from playground.domain import (
    Action,
    Conversation,
    Direction,
    Finding,
    FinishReason,
    Making,
    Message,
    Ruling,
    SamplingParams,
    Timings,
    Usage,
    Verdict,
)

MOST_RULINGS = 100
"""A pasted address book has thousands of findings; a receipt explains the decision, it is no copy of the book."""


def conversation_record(conversation: Conversation) -> dict[str, Any]:
    """The columns of a conversation."""
    record = {name: getattr(conversation, name) for name in Conversation.__slots__}
    record["params"] = None if conversation.params is None else asdict(conversation.params)
    return record


def conversation_of(row: RowMapping) -> Conversation:
    """A conversation from its row; columns it does not have (deleted_at) are left out."""
    values = {name: row[name] for name in Conversation.__slots__}
    values["params"] = None if row["params"] is None else params_of(row["params"])
    return Conversation(**values)


def message_record(message: Message) -> dict[str, Any]:
    """The columns of a message, but for its conversation."""
    return {
        **{name: getattr(message, name) for name in Message.__slots__},
        "usage": None if message.usage is None else asdict(message.usage),
        "timings": None if message.timings is None else asdict(message.timings),
        "making": None if message.making is None else asdict(message.making),
        "verdicts": [verdict_record(verdict) for verdict in message.verdicts],
    }


def message_of(row: RowMapping) -> Message:
    """A message from its row."""
    values = {name: row[name] for name in Message.__slots__}
    values["finish_reason"] = None if row["finish_reason"] is None else FinishReason(row["finish_reason"])
    values["usage"] = None if row["usage"] is None else Usage(**row["usage"])
    values["timings"] = None if row["timings"] is None else Timings(**row["timings"])
    values["making"] = None if row["making"] is None else making_of(row["making"])
    values["verdicts"] = tuple(verdict_of(record) for record in row["verdicts"])
    return Message(**values)


def telling(verdict: Verdict) -> tuple[Ruling, ...]:
    """The rulings worth keeping, at most `MOST_RULINGS`: those that carry the action first, then the decisive first."""
    if len(verdict.rulings) <= MOST_RULINGS:
        return verdict.rulings
    ordered = sorted(
        verdict.rulings, key=lambda one: (one.action != verdict.action, one.finding.judged, -one.finding.score)
    )
    return tuple(ordered[:MOST_RULINGS])


def verdict_record(verdict: Verdict) -> dict[str, Any]:
    """A verdict as JSON values, with its telling rulings; it never had any text."""
    return {**asdict(verdict), "rulings": [asdict(ruling) for ruling in telling(verdict)]}


def verdict_of(record: Mapping[str, Any]) -> Verdict:
    """A verdict from its record."""
    return Verdict(
        **{
            **record,
            "direction": Direction(record["direction"]),
            "action": Action(record["action"]),
            "degraded": tuple(record["degraded"]),
            "rulings": tuple(_ruling(ruling) for ruling in record["rulings"]),
        }
    )


def _ruling(record: Mapping[str, Any]) -> Ruling:
    finding = record["finding"]
    start, end = finding["span"]
    return Ruling(
        finding=Finding(**{**finding, "span": (start, end)}),
        action=Action(record["action"]),
        threshold=record["threshold"],
    )


def making_of(record: Mapping[str, Any]) -> Making:
    """How an answer was made, from its record."""
    return Making(**{**record, "frame": None if record["frame"] is None else tuple(record["frame"])})


def params_of(record: Mapping[str, Any]) -> SamplingParams:
    """Sampling parameters from their record."""
    return SamplingParams(**{**record, "stop": tuple(record["stop"])})
