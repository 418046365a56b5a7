"""How a database gets from any older form to the present one: named, numbered steps, each applied once.

A step that was released is never changed; a change of the tables is a new step at the end, and the same change in
`schema`. Types are written so that SQLite and PostgreSQL both take them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, text

from playground.domain import utc_now
from playground.errors import StorageError
from playground.storage.database import Database
from playground.storage.folding import make_fold

_LIMITED = """SELECT table_name, column_name FROM information_schema.columns
    WHERE table_schema = current_schema() AND data_type = 'character varying' AND table_name <> 'migrations'"""

Migration = Callable[[Connection], None]

_APPLIED = "CREATE TABLE IF NOT EXISTS migrations (name VARCHAR(100) PRIMARY KEY, applied_at VARCHAR(40) NOT NULL)"


def m001_conversations(connection: Connection) -> None:
    """Conversations and their messages."""
    _run(
        connection,
        """CREATE TABLE conversations (
            id VARCHAR(32) NOT NULL PRIMARY KEY,
            owner VARCHAR(64) NOT NULL,
            title TEXT NOT NULL,
            model_id VARCHAR(200),
            system_prompt TEXT NOT NULL,
            params JSON,
            leaf_id VARCHAR(32),
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            updated_at TIMESTAMP WITH TIME ZONE NOT NULL
        )""",
        "CREATE INDEX conversations_by_owner ON conversations (owner, updated_at)",
        """CREATE TABLE messages (
            id VARCHAR(32) NOT NULL PRIMARY KEY,
            conversation_id VARCHAR(32) NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
            parent_id VARCHAR(32) REFERENCES messages (id) ON DELETE CASCADE,
            role VARCHAR(16) NOT NULL,
            content TEXT NOT NULL,
            reasoning TEXT NOT NULL,
            model_id VARCHAR(200),
            finish_reason VARCHAR(16),
            usage JSON,
            timings JSON,
            dropped_messages INTEGER NOT NULL,
            verdicts JSON NOT NULL,
            error VARCHAR(64),
            created_at TIMESTAMP WITH TIME ZONE NOT NULL
        )""",
        "CREATE INDEX messages_by_conversation ON messages (conversation_id, created_at)",
        "CREATE INDEX messages_by_parent ON messages (parent_id)",
    )


def m002_decisions(connection: Connection) -> None:
    """What the gate decided, without the text it decided about."""
    _run(
        connection,
        """CREATE TABLE decisions (
            id VARCHAR(32) NOT NULL PRIMARY KEY,
            verdict_id VARCHAR(32) NOT NULL,
            conversation_id VARCHAR(32),
            direction VARCHAR(16) NOT NULL,
            action VARCHAR(16) NOT NULL,
            category VARCHAR(64),
            score DOUBLE PRECISION,
            threshold DOUBLE PRECISION,
            span_start INTEGER,
            span_end INTEGER,
            detector VARCHAR(64),
            version VARCHAR(64),
            policy VARCHAR(64) NOT NULL,
            language VARCHAR(8) NOT NULL,
            model_id VARCHAR(200) NOT NULL,
            degraded JSON NOT NULL,
            unavailable BOOLEAN NOT NULL,
            elapsed_ms DOUBLE PRECISION NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL
        )""",
        "CREATE INDEX decisions_by_time ON decisions (created_at)",
        "CREATE INDEX decisions_by_verdict ON decisions (verdict_id)",
    )


def m003_soft_delete(connection: Connection) -> None:
    """A deleted conversation can be brought back until it is purged."""
    _run(connection, "ALTER TABLE conversations ADD COLUMN deleted_at TIMESTAMP WITH TIME ZONE")


def m004_receipts(connection: Connection) -> None:
    """Whose decision it was, which text it was about (as a keyed hash), and what a rule on trial would have done."""
    _run(
        connection,
        "ALTER TABLE decisions ADD COLUMN owner VARCHAR(64)",
        "ALTER TABLE decisions ADD COLUMN shadow VARCHAR(16)",
        "ALTER TABLE decisions ADD COLUMN windows INTEGER",
        "ALTER TABLE decisions ADD COLUMN text_hash VARCHAR(32)",
        "ALTER TABLE decisions ADD COLUMN text_length INTEGER",
    )


def m005_reports(connection: Connection) -> None:
    """What people reported as a mistake of the gate, and what the operator made of it."""
    _run(
        connection,
        """CREATE TABLE reports (
            id VARCHAR(32) NOT NULL PRIMARY KEY,
            owner VARCHAR(64) NOT NULL,
            kind VARCHAR(16) NOT NULL,
            subject_id VARCHAR(32) NOT NULL,
            direction VARCHAR(16) NOT NULL,
            action VARCHAR(16) NOT NULL,
            policy VARCHAR(64) NOT NULL,
            language VARCHAR(8) NOT NULL,
            model_id VARCHAR(200) NOT NULL,
            scores JSON NOT NULL,
            text TEXT,
            text_hash VARCHAR(32) NOT NULL,
            text_length INTEGER NOT NULL,
            label VARCHAR(16),
            labelled_at TIMESTAMP WITH TIME ZONE,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL
        )""",
        "CREATE UNIQUE INDEX reports_by_subject ON reports (owner, subject_id)",
        "CREATE INDEX reports_by_time ON reports (created_at)",
    )


def m006_comparisons(connection: Connection) -> None:
    """Several models asked the same, and what people voted."""
    _run(
        connection,
        "ALTER TABLE conversations ADD COLUMN comparison_id VARCHAR(32)",
        """CREATE TABLE comparisons (
            id VARCHAR(32) NOT NULL PRIMARY KEY,
            owner VARCHAR(64) NOT NULL,
            mode VARCHAR(16) NOT NULL,
            schedule VARCHAR(16) NOT NULL,
            language VARCHAR(8) NOT NULL,
            winner VARCHAR(16),
            revealed BOOLEAN NOT NULL,
            tainted BOOLEAN NOT NULL,
            title TEXT NOT NULL,
            batch VARCHAR(32),
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            updated_at TIMESTAMP WITH TIME ZONE NOT NULL
        )""",
        "CREATE INDEX comparisons_by_owner ON comparisons (owner, updated_at)",
        "CREATE INDEX comparisons_by_batch ON comparisons (batch)",
        """CREATE TABLE comparison_sides (
            comparison_id VARCHAR(32) NOT NULL REFERENCES comparisons (id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            conversation_id VARCHAR(32) NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
            PRIMARY KEY (comparison_id, position)
        )""",
        """CREATE TABLE votes (
            id VARCHAR(32) NOT NULL PRIMARY KEY,
            comparison_id VARCHAR(32),
            mode VARCHAR(16) NOT NULL,
            model_a VARCHAR(200) NOT NULL,
            model_b VARCHAR(200) NOT NULL,
            winner VARCHAR(16) NOT NULL,
            tainted BOOLEAN NOT NULL,
            language VARCHAR(8) NOT NULL,
            category VARCHAR(32) NOT NULL,
            session VARCHAR(32) NOT NULL,
            prompt_hash VARCHAR(32) NOT NULL,
            turns INTEGER NOT NULL,
            side_a JSON NOT NULL,
            side_b JSON NOT NULL,
            imported BOOLEAN NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            changed_at TIMESTAMP WITH TIME ZONE NOT NULL
        )""",
        "CREATE UNIQUE INDEX votes_by_comparison ON votes (comparison_id)",
        "CREATE INDEX votes_by_change ON votes (changed_at)",
    )


def m007_api_keys(connection: Connection) -> None:
    """Who may use the API, by the hash of their key, and how much of it."""
    _run(
        connection,
        """CREATE TABLE api_keys (
            id VARCHAR(32) NOT NULL PRIMARY KEY,
            name VARCHAR(64) NOT NULL,
            start VARCHAR(16) NOT NULL,
            hash VARCHAR(64) NOT NULL,
            requests_per_minute BIGINT,
            tokens_per_day BIGINT,
            concurrent BIGINT,
            used_on VARCHAR(10) NOT NULL,
            used_tokens BIGINT NOT NULL,
            last_used_at TIMESTAMP WITH TIME ZONE,
            revoked_at TIMESTAMP WITH TIME ZONE,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL
        )""",
        "CREATE UNIQUE INDEX api_keys_by_hash ON api_keys (hash)",
    )


def m008_duels(connection: Connection) -> None:
    """Batches by themselves, and comparisons that can be put away."""
    _run(
        connection,
        """CREATE TABLE duels (
            id VARCHAR(32) NOT NULL PRIMARY KEY,
            models JSON NOT NULL,
            questions JSON NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL
        )""",
        "ALTER TABLE comparisons ADD COLUMN deleted_at TIMESTAMP WITH TIME ZONE",
        "CREATE INDEX conversations_by_comparison ON conversations (comparison_id)",
    )


def m009_processes(connection: Connection) -> None:
    """Several app processes on one database: who they are, and where each is writing."""
    _run(
        connection,
        """CREATE TABLE processes (
            id VARCHAR(32) NOT NULL PRIMARY KEY,
            started_at TIMESTAMP WITH TIME ZONE NOT NULL,
            seen_at TIMESTAMP WITH TIME ZONE NOT NULL
        )""",
        """CREATE TABLE writing (
            conversation_id VARCHAR(32) NOT NULL PRIMARY KEY,
            process_id VARCHAR(32) NOT NULL,
            owner VARCHAR(64) NOT NULL,
            run_id VARCHAR(32),
            user_message_id VARCHAR(32),
            message_id VARCHAR(32),
            stop VARCHAR(16),
            watched_at TIMESTAMP WITH TIME ZONE,
            state JSON,
            began_at TIMESTAMP WITH TIME ZONE NOT NULL
        )""",
        "CREATE INDEX writing_by_process ON writing (process_id)",
        "CREATE INDEX messages_unfinished ON messages (conversation_id) "
        "WHERE role = 'assistant' AND finish_reason IS NULL",
    )


def m010_shared_counts(connection: Connection) -> None:
    """What all app processes must count or know together: use of the API, the operator's sessions, secrets' marks."""
    _run(
        connection,
        """CREATE TABLE api_requests (
            id VARCHAR(32) NOT NULL PRIMARY KEY,
            caller VARCHAR(32) NOT NULL,
            process_id VARCHAR(32) NOT NULL,
            going_on BOOLEAN NOT NULL,
            began_at TIMESTAMP WITH TIME ZONE NOT NULL
        )""",
        "CREATE INDEX api_requests_by_caller ON api_requests (caller, began_at)",
        """CREATE TABLE api_usage (
            caller VARCHAR(32) NOT NULL,
            day VARCHAR(10) NOT NULL,
            tokens BIGINT NOT NULL,
            PRIMARY KEY (caller, day)
        )""",
        "CREATE TABLE sessions (hash VARCHAR(64) NOT NULL PRIMARY KEY, ends_at TIMESTAMP WITH TIME ZONE NOT NULL)",
        "CREATE TABLE marks (name VARCHAR(64) NOT NULL PRIMARY KEY, hash VARCHAR(64) NOT NULL)",
    )


def m011_postgres(connection: Connection) -> None:
    """What PostgreSQL needs to do as SQLite does: the search's `fold`, and texts whose length nobody checks."""
    if connection.dialect.name == "postgresql":
        make_fold(connection)
        for table, column in connection.execute(text(_LIMITED)).all():
            _run(connection, f'ALTER TABLE "{table}" ALTER COLUMN "{column}" TYPE TEXT')


def m012_vote_schedules(connection: Connection) -> None:
    """Whether the models of a vote answered together or in turn; not known (empty) of earlier votes."""
    _run(connection, "ALTER TABLE votes ADD COLUMN schedule TEXT NOT NULL DEFAULT ''")


def m013_making(connection: Connection) -> None:
    """How an answer was made: hashes of the tokens received and written, and what stood around its thoughts."""
    _run(connection, "ALTER TABLE messages ADD COLUMN making JSON")


MIGRATIONS: tuple[Migration, ...] = (
    m001_conversations,
    m002_decisions,
    m003_soft_delete,
    m004_receipts,
    m005_reports,
    m006_comparisons,
    m007_api_keys,
    m008_duels,
    m009_processes,
    m010_shared_counts,
    m011_postgres,
    m012_vote_schedules,
    m013_making,
)


PROBE = "UPDATE migrations SET applied_at = applied_at"
"""Writes, and changes nothing."""


def pending(database: Database, migrations: Sequence[Migration] = MIGRATIONS) -> list[str]:
    """The names of the steps that are not applied yet. Raises StorageError when the database cannot be read."""
    with database.read() as connection:
        done = set(connection.scalars(text("SELECT name FROM migrations")))
    return [step.__name__ for step in migrations if step.__name__ not in done]


def migrate(database: Database, migrations: Sequence[Migration] = MIGRATIONS) -> list[str]:
    """Apply what is missing, all or nothing; returns the names of the steps that were applied now.

    Processes that start at the same time do this one after the other. Raises StorageError when the database cannot be
    written, was made by a newer version of the playground, or cannot hold every text.
    """
    with database.write(alone="migrations") as connection:
        _check_encoding(connection)
        connection.execute(text(_APPLIED))
        done = set(connection.scalars(text("SELECT name FROM migrations")))
        unknown = sorted(done - {step.__name__ for step in migrations})
        if unknown:
            raise StorageError(
                f"The database was made by a newer version of the playground (it has {unknown[-1]}). "
                "Update the playground, or choose another folder with --data-dir."
            )
        missing = [step for step in migrations if step.__name__ not in done]
        for step in missing:
            step(connection)
            connection.execute(
                text("INSERT INTO migrations (name, applied_at) VALUES (:name, :at)"),
                {"name": step.__name__, "at": utc_now().isoformat()},
            )
    return [step.__name__ for step in missing]


def _check_encoding(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        encoding = connection.scalar(text("SHOW server_encoding"))
        if encoding != "UTF8":
            raise StorageError(
                f"The database's encoding is {encoding}, which cannot hold every language. Make another one with "
                "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0."
            )


def _run(connection: Connection, *statements: str) -> None:
    for statement in statements:
        connection.execute(text(statement))
