"""The tables as they are now. `migrations` is how a database gets there; a test holds the two together.

A conversation is a tree of messages: `parent_id` points at the message before; a retry or an edit is a sibling.
`leaf_id` is the end of the branch on display. `deleted_at` hides a conversation until it is purged or restored.
`decisions` has one row for every ruling of the gate, never with text: offsets, scores and names only. `shadow` is what
a rule on trial would have done. `reports` are the mistakes people told of, one for each decision (`kind` "wrong") or
answer ("missed"); `subject_id` is the verdict's or the message's id, and `text` is empty unless the operator keeps it.

A conversation with a `comparison_id` is a side of a comparison. Two comparisons of a `batch` may share a side; one of a
batch that nobody grades at the moment has no `owner`. `votes` have one row for every comparison that was voted on, and
those that were imported; `side_a` and `side_b` are figures and names about the answers, never their words. `duels` are
the batches: which models are asked which questions, as the gate let these through, with null for what it held back.
`api_keys` has hashes of the API's keys, never a key; `used_tokens` are those of the day `used_on`.

What follows is used where several app processes share a database. `processes` has those that serve people, with their
last sign of life by the database's clock. `writing` has the conversations in which one of them writes an answer, or is
about to (`run_id` and the ids of its messages are empty until it begins), what somebody asked of it from another one
(`stop`; `watched_at`: to tell how far it is), and how far it is (`state`). `api_requests` are those of the last minute
and those that go on, `api_usage` the tokens of a day of callers without a key; a caller is a keyed hash. `sessions` are
the operator's, by the hash of their cookie. `marks` are hashes of secrets that all processes must share.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
)


class Words(TypeDecorator[str]):
    """Text that people or models wrote. PostgreSQL cannot hold the character U+0000, which becomes U+FFFD there."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """With nothing in it that this database cannot hold."""
        return value.replace("\0", "\ufffd") if value and dialect.name == "postgresql" else value


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, kept in UTC; SQLite has no time zones, so they are put back when reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Into UTC; a naive time would be ambiguous and is refused."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("times must be aware of their zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Aware again."""
        return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)


def _id(name: str, *more: Any, **options: Any) -> Column[Any]:
    return Column(name, String(32), *more, **options)


metadata = MetaData()

conversations = Table(
    "conversations",
    metadata,
    _id("id", primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("title", Words, nullable=False),
    Column("model_id", String(200)),
    Column("system_prompt", Words, nullable=False),
    Column("params", JSON(none_as_null=True)),
    _id("leaf_id"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("deleted_at", UtcDateTime),
    _id("comparison_id"),
    Index("conversations_by_owner", "owner", "updated_at"),
    Index("conversations_by_comparison", "comparison_id"),
)

UNFINISHED = text("role = 'assistant' AND finish_reason IS NULL")
messages = Table(
    "messages",
    metadata,
    _id("id", primary_key=True),
    _id("conversation_id", ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    _id("parent_id", ForeignKey("messages.id", ondelete="CASCADE")),
    Column("role", String(16), nullable=False),
    Column("content", Words, nullable=False),
    Column("reasoning", Words, nullable=False),
    Column("model_id", String(200)),
    Column("finish_reason", String(16)),
    Column("usage", JSON(none_as_null=True)),
    Column("timings", JSON(none_as_null=True)),
    Column("making", JSON(none_as_null=True)),
    Column("dropped_messages", Integer, nullable=False),
    Column("verdicts", JSON, nullable=False),
    Column("error", String(64)),
    Column("created_at", UtcDateTime, nullable=False),
    Index("messages_by_conversation", "conversation_id", "created_at"),
    Index("messages_by_parent", "parent_id"),
)
Index(
    "messages_unfinished",
    messages.c.conversation_id,
    sqlite_where=UNFINISHED,
    postgresql_where=UNFINISHED,
)

decisions = Table(
    "decisions",
    metadata,
    _id("id", primary_key=True),
    _id("verdict_id", nullable=False),
    _id("conversation_id"),
    Column("direction", String(16), nullable=False),
    Column("action", String(16), nullable=False),
    Column("category", String(64)),
    Column("score", Float),
    Column("threshold", Float),
    Column("span_start", Integer),
    Column("span_end", Integer),
    Column("detector", String(64)),
    Column("version", String(64)),
    Column("policy", String(64), nullable=False),
    Column("language", String(8), nullable=False),
    Column("model_id", String(200), nullable=False),
    Column("degraded", JSON, nullable=False),
    Column("unavailable", Boolean, nullable=False),
    Column("elapsed_ms", Float, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("owner", String(64)),
    Column("shadow", String(16)),
    Column("windows", Integer),
    Column("text_hash", String(32)),
    Column("text_length", Integer),
    Index("decisions_by_time", "created_at"),
    Index("decisions_by_verdict", "verdict_id"),
)

reports = Table(
    "reports",
    metadata,
    _id("id", primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    _id("subject_id", nullable=False),
    Column("direction", String(16), nullable=False),
    Column("action", String(16), nullable=False),
    Column("policy", String(64), nullable=False),
    Column("language", String(8), nullable=False),
    Column("model_id", String(200), nullable=False),
    Column("scores", JSON, nullable=False),
    Column("text", Words),
    Column("text_hash", String(32), nullable=False),
    Column("text_length", Integer, nullable=False),
    Column("label", String(16)),
    Column("labelled_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Index("reports_by_subject", "owner", "subject_id", unique=True),
    Index("reports_by_time", "created_at"),
)

comparisons = Table(
    "comparisons",
    metadata,
    _id("id", primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("mode", String(16), nullable=False),
    Column("schedule", String(16), nullable=False),
    Column("language", String(8), nullable=False),
    Column("winner", String(16)),
    Column("revealed", Boolean, nullable=False),
    Column("tainted", Boolean, nullable=False),
    Column("title", Words, nullable=False),
    _id("batch"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("deleted_at", UtcDateTime),
    Index("comparisons_by_owner", "owner", "updated_at"),
    Index("comparisons_by_batch", "batch"),
)

duels = Table(
    "duels",
    metadata,
    _id("id", primary_key=True),
    Column("models", JSON, nullable=False),
    Column("questions", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

comparison_sides = Table(
    "comparison_sides",
    metadata,
    _id("comparison_id", ForeignKey("comparisons.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    _id("conversation_id", ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
)

votes = Table(
    "votes",
    metadata,
    _id("id", primary_key=True),
    _id("comparison_id"),
    Column("mode", String(16), nullable=False),
    Column("model_a", String(200), nullable=False),
    Column("model_b", String(200), nullable=False),
    Column("winner", String(16), nullable=False),
    Column("tainted", Boolean, nullable=False),
    Column("language", String(8), nullable=False),
    Column("category", String(32), nullable=False),
    Column("session", String(32), nullable=False),
    Column("prompt_hash", String(32), nullable=False),
    Column("turns", Integer, nullable=False),
    Column("schedule", String(16), nullable=False, server_default=""),
    Column("side_a", JSON, nullable=False),
    Column("side_b", JSON, nullable=False),
    Column("imported", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Index("votes_by_comparison", "comparison_id", unique=True),
    Index("votes_by_change", "changed_at"),
)

api_keys = Table(
    "api_keys",
    metadata,
    _id("id", primary_key=True),
    Column("name", String(64), nullable=False),
    Column("start", String(16), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("requests_per_minute", BigInteger),
    Column("tokens_per_day", BigInteger),
    Column("concurrent", BigInteger),
    Column("used_on", String(10), nullable=False),
    Column("used_tokens", BigInteger, nullable=False),
    Column("last_used_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Index("api_keys_by_hash", "hash", unique=True),
)

processes = Table(
    "processes",
    metadata,
    _id("id", primary_key=True),
    Column("started_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)

writing = Table(
    "writing",
    metadata,
    _id("conversation_id", primary_key=True),
    _id("process_id", nullable=False),
    Column("owner", String(64), nullable=False),
    _id("run_id"),
    _id("user_message_id"),
    _id("message_id"),
    Column("stop", String(16)),
    Column("watched_at", UtcDateTime),
    Column("state", JSON(none_as_null=True)),
    Column("began_at", UtcDateTime, nullable=False),
    Index("writing_by_process", "process_id"),
)

api_requests = Table(
    "api_requests",
    metadata,
    _id("id", primary_key=True),
    _id("caller", nullable=False),
    _id("process_id", nullable=False),
    Column("going_on", Boolean, nullable=False),
    Column("began_at", UtcDateTime, nullable=False),
    Index("api_requests_by_caller", "caller", "began_at"),
)

api_usage = Table(
    "api_usage",
    metadata,
    _id("caller", primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("tokens", BigInteger, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("ends_at", UtcDateTime, nullable=False),
)

marks = Table(
    "marks",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("hash", String(64), nullable=False),
)
