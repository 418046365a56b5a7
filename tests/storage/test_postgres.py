"""PostgreSQL: transactions as with SQLite, and whatever is wrong with the server is one sentence with a next step."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text

from playground.domain import Conversation, Message, utc_now
from playground.errors import ConfigError, DatabaseUnreachable, StorageError
from playground.storage.comparisons import ComparisonStore, KeptComparison
from playground.storage.conversations import ConversationStore
from playground.storage.database import Database
from playground.storage.duels import DuelStore
from playground.storage.keys import KeyStore
from playground.storage.marks import MarkStore
from playground.storage.migrations import MIGRATIONS, migrate
from playground.storage.schema import votes
from playground.storage.sessions import SessionStore
from playground.storage.votes import VoteStore
from playground.text import FOLDED_LETTERS, fold
from tests.postgres import PostgresServer
from tests.storage.test_votes import VOTE


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[Database]:
    with postgres.database() as database:
        yield database


@pytest.fixture
def second(postgres: PostgresServer, database: Database) -> Iterator[Database]:
    """The same database, as another process has it."""
    second = Database(postgres.url())
    yield second
    second.close()


def test_acknowledged_writes_are_on_the_disk_and_progress_need_not_be(database: Database) -> None:
    for durable, commit, waits in ((True, "on", "5s"), (False, "off", "100ms"), (True, "on", "5s")):
        with database.write(durable=durable) as connection:
            assert connection.scalar(text("SHOW synchronous_commit")) == commit
            assert connection.scalar(text("SHOW lock_timeout")) == waits


def test_a_reader_has_one_picture(database: Database, second: Database) -> None:
    there = select(func.count()).select_from(votes)
    with database.read() as connection:
        before = connection.scalar(there)
        VoteStore(second).cast(VOTE)
        assert connection.scalar(there) == before
    with database.read() as connection:
        assert connection.scalar(there) == (before or 0) + 1


def test_the_search_folds_as_python_does(database: Database) -> None:
    letters = [chr(code) for code in FOLDED_LETTERS]
    samples = [*letters, "ΟΔΥΣΣΕΥΣ Οδυσσεύς", "МОСКВА", "Thủ đô STRASSE Straße", "ﬁ 漢字 🇳🇴"]
    with database.read() as connection:
        found = connection.execute(
            select(*(func.fold(sample).label(f"f{n}") for n, sample in enumerate(samples)))
        ).one()
    assert {sample: one for sample, one in zip(samples, found, strict=True) if one != fold(sample)} == {
        "ﬁ 漢字 🇳🇴": "ﬁ 漢字 🇳🇴"
    }


def test_a_character_that_the_server_cannot_hold_is_replaced(database: Database) -> None:
    store, message = ConversationStore(database), Message("user", "a\0b")
    conversation = Conversation("anna", title="t\0")
    store.add(conversation, [message])
    assert store.get("anna", conversation.id).title == "t\ufffd"
    assert store.messages(conversation.id, [message.id])[message.id].content == "a\ufffdb"


def test_names_may_be_long(database: Database) -> None:
    name = "m" * 500
    store, conversation = ConversationStore(database), Conversation("anna", model_id=name)
    store.add(conversation, [])
    assert store.get("anna", conversation.id).model_id == name


def test_processes_that_start_together_migrate_once(postgres: PostgresServer) -> None:
    url = postgres.blank()
    databases = [Database(url) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        applied = list(threads.map(lambda database: len(migrate(database)), databases))
    assert sorted(applied) == [0, 0, 0, len(MIGRATIONS)]
    for database in databases:
        database.close()


def test_one_vote_for_a_battle_whoever_casts_it(database: Database, second: Database) -> None:
    stores = [VoteStore(database), VoteStore(second)]
    ballots = [replace(VOTE, id=f"{number}", winner="tie") for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        kept = list(threads.map(lambda pair: stores[pair[0] % 2].cast(pair[1]), enumerate(ballots)))
    assert len({vote.id for vote in kept}) == 1
    assert stores[0].state()[0] == 1


def test_a_vote_that_becomes_visible_later_has_a_later_time(database: Database, second: Database) -> None:
    """However far behind the clock of its process is: else a table that follows the votes would never see it."""
    ahead = utc_now() + timedelta(hours=1)
    VoteStore(database).cast(VOTE)
    with database.write() as connection:
        connection.execute(votes.update().values(changed_at=ahead))
    _, seen = VoteStore(second).state()
    VoteStore(second).cast(replace(VOTE, id="later", comparison_id="d"))
    changed = [vote.id for part in VoteStore(second).changed_since(seen) for vote in part]
    assert changed == ["later"]


def test_a_pair_to_grade_is_given_to_one_person(database: Database, second: Database) -> None:
    sides = ConversationStore(database, sides=True)
    side = Conversation("batch", comparison_id="b", model_id="pip")
    sides.add(side, [])
    kept = [KeptComparison(owner="", mode="duel", schedule="in_turn", language="en", batch="b") for _ in range(6)]
    for one in kept:
        ComparisonStore(database).add(one, [side.id, side.id])
    stores = [DuelStore(database), DuelStore(second)]
    with ThreadPoolExecutor(6) as threads:
        given = list(threads.map(lambda number: stores[number % 2].claim(f"owner{number}"), range(6)))
    assert sorted(filter(None, given)) == sorted(one.id for one in kept)


def test_two_keys_of_one_name_are_not_made_at_once(database: Database, second: Database) -> None:
    stores = [KeyStore(database), KeyStore(second)]

    def make(number: int) -> str:
        try:
            stores[number % 2].create("course")
        except Exception as error:  # noqa: BLE001
            return type(error).__name__
        return "made"

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(make, range(4))) == ["InvalidRequest"] * 3 + ["made"]


def test_sessions_and_marks_are_known_to_all(database: Database, second: Database) -> None:
    here, there = SessionStore(database), SessionStore(second)
    here.add("a", 60)
    here.add("b", -1)
    assert (there.has("a"), there.has("b"), there.has("")) == (True, False, False)
    there.end("a")
    assert not here.has("a")
    assert MarkStore(database).agrees("key", "1")
    assert MarkStore(second).agrees("key", "1")
    assert not MarkStore(second).agrees("key", "2")


@pytest.mark.parametrize(
    ("address", "error", "words"),
    [
        ("postgresql://strict:wrong@127.0.0.1:{port}/playground", StorageError, "refused this user.*PGPASSWORD"),
        ("postgresql://strict@127.0.0.1:{port}/playground", StorageError, "refused this user"),
        ("postgresql://nobody@127.0.0.1:{port}/playground", StorageError, "refused this user"),
        ("postgres://owner@127.0.0.1:{port}/nowhere", StorageError, "does not exist.*Create it"),
        ("postgresql://owner@127.0.0.1:1/playground", DatabaseUnreachable, "cannot be reached.*Check that it runs"),
        ("postgresql://strict:right@127.0.0.1:{port}/postgres", StorageError, "may not do that.*GRANT"),
        ("postgresql://owner@127.0.0.1:{port}/latin", StorageError, "LATIN1.*UTF8"),
    ],
)
def test_a_server_that_cannot_be_used_at_the_start(
    postgres: PostgresServer, address: str, error: type[StorageError], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    if "latin" in address and not postgres.execute("SELECT 1 FROM pg_database WHERE datname = 'latin'"):
        postgres.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    database = Database(address.format(port=postgres.port))
    with pytest.raises(error, match=words) as caught:
        migrate(database)
    database.close()
    assert type(caught.value) is error
    assert "wrong" not in str(caught.value) + str(database) + caplog.text


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://owner@h/playground?password=hidden-one",
        "postgresql+psycopg2://owner:hidden-one@h/playground",
        "postgresql+nothing://owner:hidden-one@h/playground",
        "postgresql://owner:hidden-one@h",
        "mysql://owner:hidden-one@h/playground",
        "postgresql://owner:hidden-one@h:port/playground",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_its_password(address: str) -> None:
    with pytest.raises(ConfigError, match="database_url") as caught:
        Database(address)
    assert "hidden-one" not in str(caught.value)


def test_a_password_is_never_shown() -> None:
    database = Database("postgresql://owner:hidden-one@127.0.0.1:1/playground")
    assert "hidden-one" not in f"{database} {database!r}"
    database.close()


def test_a_database_that_may_only_be_read(postgres: PostgresServer, database: Database) -> None:
    reader = Database(postgres.url(options="-cdefault_transaction_read_only%3Don"))
    assert ConversationStore(reader).listed("anna") == []
    with pytest.raises(StorageError, match=r"may only be read.*standby"):
        ConversationStore(reader).add(Conversation("anna"), [])
    reader.close()


def test_a_row_that_another_program_keeps_locked(database: Database, second: Database) -> None:
    store, question = ConversationStore(database), Message("user", "hello")
    answer = Message("assistant", "", parent_id=question.id)
    store.add(Conversation("anna"), [question, answer])
    with second.write() as connection:
        connection.execute(text("SELECT 1 FROM messages FOR UPDATE"))
        began = time.monotonic()
        with pytest.raises(StorageError, match="locked"):
            store.save_progress(answer.id, "hm", "")
        assert time.monotonic() - began < 4  # progress waits for a moment only
        assert len(store.listed("anna", "hello")) == 1  # readers do not wait
    store.save_progress(answer.id, "hm", "")


def test_too_many_connections_are_told(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("playground.storage.postgres.CONNECTIONS", 6)
    monkeypatch.setattr("playground.storage.postgres._LOCK_SECONDS", 0.1)
    database, going = Database(postgres.url()), threading.Barrier(7)

    def hold() -> None:
        with database.read():
            going.wait(10)
            going.wait(10)

    with ThreadPoolExecutor(6) as threads:
        held = [threads.submit(hold) for _ in range(6)]
        going.wait(10)
        with pytest.raises(DatabaseUnreachable, match="in use"), database.read():
            pass
        going.wait(10)
        assert [one.result() for one in held] == [None] * 6
    database.close()


def test_what_was_acknowledged_is_there_when_the_server_is_back(
    postgres: PostgresServer, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    store = ConversationStore(database)
    store.add(Conversation("anna", title="a secret between us"), [])
    postgres.stop()
    try:
        for _ in range(2):
            with pytest.raises(DatabaseUnreachable, match="cannot be reached"):
                store.add(Conversation("anna", title="another secret"), [])
            with pytest.raises(DatabaseUnreachable):
                store.listed("anna")
    finally:
        postgres.start()
    assert [one.title for one in store.listed("anna")] == ["a secret between us"]
    store.add(Conversation("anna"), [])
    assert "secret" not in caplog.text
