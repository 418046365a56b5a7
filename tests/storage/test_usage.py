"""What a caller of the API did counts in every process, and what a dead one was doing counts no more."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from playground.api.limits import Caller, Limits
from playground.config import Settings
from playground.errors import LimitReached
from playground.moderation.fingerprint import Fingerprint
from playground.storage.database import Database
from playground.storage.keys import KeyStore
from playground.storage.processes import ProcessStore
from playground.storage.schema import api_requests, api_usage
from playground.storage.usage import UsageStore
from tests.postgres import PostgresServer

NONE = Settings(api_requests_per_minute=0, api_tokens_per_day=0, api_concurrent=0)
ANNA = Caller("visitor-192.0.2.7")


@pytest.fixture
def offices(postgres: PostgresServer) -> Iterator[list[tuple[Database, ProcessStore]]]:
    """Two processes on one database."""
    with postgres.database() as database:
        second = Database(postgres.url())
        found = [
            (one, ProcessStore(one, name, timedelta(seconds=60))) for one, name in ((database, "a"), (second, "b"))
        ]
        for _, processes in found:
            processes.beat()
        yield found
        second.close()


def limits(office: tuple[Database, ProcessStore], settings: Settings) -> Limits:
    database, processes = office
    return Limits(settings, KeyStore(database), UsageStore(database, processes, Fingerprint(b"k" * 32)))


def test_a_minute_is_that_of_all_processes(offices: list[tuple[Database, ProcessStore]]) -> None:
    settings = replace(NONE, api_requests_per_minute=3)
    here, there = (limits(office, settings) for office in offices)
    for one in (here, there, here):
        one.admit(ANNA).close()
    with pytest.raises(LimitReached, match="Wait 60 s") as caught:
        there.admit(ANNA)
    assert 55 < caught.value.retry_after <= 60
    there.admit(Caller("visitor-192.0.2.8")).close()
    with offices[0][0].write() as connection:
        connection.execute(api_requests.update().values(began_at=offices[0][0].now(timedelta(seconds=61))))
    there.admit(ANNA).close()


def test_what_goes_on_anywhere_is_counted_until_it_ends_or_its_process_does(
    offices: list[tuple[Database, ProcessStore]],
) -> None:
    settings = replace(NONE, api_concurrent=2)
    here, there = (limits(office, settings) for office in offices)
    tickets = [here.admit(ANNA), there.admit(ANNA)]
    for one in (here, there):
        with pytest.raises(LimitReached, match="going on"):
            one.admit(ANNA)
    tickets[0].close()
    tickets[0].close()
    here.admit(ANNA)
    with pytest.raises(LimitReached):
        there.admit(ANNA)
    with offices[0][0].write() as connection:
        connection.execute(text("UPDATE processes SET seen_at = seen_at - interval '1 hour' WHERE id = 'b'"))
    here.admit(ANNA)


def test_as_many_as_are_allowed_begin_when_all_come_at_once(offices: list[tuple[Database, ProcessStore]]) -> None:
    both = [limits(office, replace(NONE, api_concurrent=5)) for office in offices]

    def begin(number: int) -> bool:
        try:
            both[number % 2].admit(ANNA)
        except LimitReached:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(begin, range(24))) == 5


def test_tokens_of_visitors_add_up_over_processes(offices: list[tuple[Database, ProcessStore]]) -> None:
    here, there = (limits(office, replace(NONE, api_tokens_per_day=10)) for office in offices)
    here.admit(ANNA).close(6)
    there.admit(ANNA).close(6)
    with pytest.raises(LimitReached, match="tomorrow"):
        here.admit(ANNA)
    here.admit(Caller("visitor-192.0.2.8")).close()


def test_no_address_is_kept(offices: list[tuple[Database, ProcessStore]]) -> None:
    database = offices[0][0]
    limits(offices[0], replace(NONE, api_concurrent=5)).admit(ANNA).close(3)
    with database.read() as connection:
        kept = [connection.execute(select(table)).all() for table in (api_requests, api_usage)]
    assert all(kept)
    assert "192.0.2" not in repr(kept)
