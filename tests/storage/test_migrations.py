"""Every older form of the database becomes the present one, with everything in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from playground.errors import StorageError
from playground.storage.conversations import ConversationStore
from playground.storage.database import Database
from playground.storage.decisions import DecisionStore
from playground.storage.migrations import MIGRATIONS, migrate
from playground.storage.reports import ReportStore
from playground.storage.schema import metadata

OLD_DECISION = """INSERT INTO decisions (id, verdict_id, direction, action, category, score, threshold, span_start,
    span_end, detector, version, policy, language, model_id, degraded, unavailable, elapsed_ms, created_at)
    VALUES ('d1', 'v1', 'input', 'warn', 'slur', 0.5, 0.4, 0, 3, 'words', '1', 'standard', 'en', 'pip', '[]', false,
    1.0, '2026-01-02 03:04:05.000006')"""
NAMES = [step.__name__ for step in MIGRATIONS]
AT = "2026-01-02 03:04:05.000006"
OLD_ROWS = (
    f"""INSERT INTO conversations (id, owner, title, model_id, system_prompt, created_at, updated_at, leaf_id)
        VALUES ('c1', 'anna', 'Chào', 'pip', '', '{AT}', '{AT}', 'm1')""",
    f"""INSERT INTO messages (id, conversation_id, role, content, reasoning, dropped_messages, verdicts, created_at)
        VALUES ('m1', 'c1', 'user', 'Xin chào', '', 0, '[]', '{AT}')""",
)


@pytest.fixture
def blank(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    sqlite = kind == "sqlite"
    database = Database(f"sqlite:///{tmp_path / 'x.db'}" if sqlite else request.getfixturevalue("postgres").blank())
    yield database
    database.close()


def shape(database: Database) -> dict[str, tuple[set[str], set[str]]]:
    """Table -> its columns with type and nullability, and its indexes."""
    with database.read() as connection:
        seen = inspect(connection)
        return {
            table: (
                {f"{column['name']} {column['type']} {column['nullable']}" for column in seen.get_columns(table)},
                {f"{index['name']} {index['column_names']}" for index in seen.get_indexes(table)},
            )
            for table in seen.get_table_names()
            if table != "migrations"
        }


def test_names_are_numbered_in_order() -> None:
    assert [name.split("_")[0] for name in NAMES] == [f"m{number:03}" for number in range(1, len(NAMES) + 1)]


def test_an_empty_database_gets_every_step_once(blank: Database) -> None:
    assert migrate(blank) == NAMES
    assert migrate(blank) == []


def test_the_steps_lead_to_the_tables_the_stores_use(
    blank: Database, kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    migrate(blank)
    sqlite = kind == "sqlite"
    declared = Database(
        f"sqlite:///{tmp_path / 'declared.db'}" if sqlite else request.getfixturevalue("postgres").blank()
    )
    with declared.write() as connection:
        metadata.create_all(connection)
    stepwise, at_once = shape(blank), shape(declared)
    assert stepwise.keys() == at_once.keys()
    for table in at_once:
        assert {names(column) for column in stepwise[table][0]} == {names(column) for column in at_once[table][0]}
        assert stepwise[table][1] == at_once[table][1]
    declared.close()


def names(column: str) -> str:
    """The ways in which a time, a fraction and a text are declared, made one (SQLite keeps the words as written)."""
    for written, meant in (("NUMERIC", "TIMESTAMP"), ("DATETIME", "TIMESTAMP"), ("DOUBLE PRECISION", "FLOAT")):
        column = column.replace(written, meant)
    return re.sub(r"VARCHAR(\(\d+\))?", "TEXT", column.replace("REAL", "FLOAT"))


@pytest.mark.parametrize("steps", range(1, len(MIGRATIONS)))
def test_every_older_schema_becomes_the_present_one_with_its_rows(blank: Database, steps: int) -> None:
    migrate(blank, MIGRATIONS[:steps])
    with blank.write() as connection:
        for row in OLD_ROWS:
            connection.execute(text(row))
    assert migrate(blank) == NAMES[steps:]
    store = ConversationStore(blank)
    (conversation,) = store.listed("anna", "chao")
    message = store.messages("c1", ["m1"])["m1"]
    assert (conversation.title, conversation.created_at.isoformat()) == ("Chào", "2026-01-02T03:04:05.000006+00:00")
    assert (message.content, message.verdicts, message.usage) == ("Xin chào", (), None)


@pytest.mark.parametrize("steps", range(2, len(MIGRATIONS)))
def test_decisions_of_every_older_schema_can_be_read(blank: Database, steps: int) -> None:
    migrate(blank, MIGRATIONS[:steps])
    with blank.write() as connection:
        connection.execute(text(OLD_DECISION))
    migrate(blank)
    (decision,) = DecisionStore(blank).since(datetime(2026, 1, 1, tzinfo=UTC))
    assert decision.ruling is not None
    assert (decision.owner, decision.text_hash, decision.ruling.shadow, decision.ruling.finding.windows) == (
        None, "", None, 1,
    )  # fmt: skip
    assert DecisionStore(blank).of_verdict("anna", "v1") == []
    assert ReportStore(blank).open_count() == 0


def test_a_step_that_fails_leaves_the_database_as_it_was(blank: Database) -> None:
    migrate(blank, MIGRATIONS[:1])
    before = shape(blank)

    def m002_broken(connection: object) -> None:
        MIGRATIONS[1](connection)  # type: ignore[arg-type]
        raise StorageError("no")

    with pytest.raises(StorageError):
        migrate(blank, (*MIGRATIONS[:1], m002_broken))
    assert shape(blank) == before
    assert migrate(blank) == NAMES[1:]


def test_a_database_from_the_future_is_left_alone(blank: Database) -> None:
    def m999_later(connection: object) -> None: ...

    migrate(blank, (*MIGRATIONS, m999_later))
    with pytest.raises(StorageError, match=r"newer version.*m999_later"):
        migrate(blank)
