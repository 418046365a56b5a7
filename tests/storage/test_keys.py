"""Keys of the API: shown once, found by their hash, revoked at once; and what they used today."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from playground.errors import InvalidRequest
from playground.storage import keys as module
from playground.storage.database import Database
from playground.storage.keys import PREFIX, KeyStore


@pytest.fixture
def keys(database: Database) -> KeyStore:
    return KeyStore(database)


def test_a_key_is_found_until_it_is_revoked(keys: KeyStore) -> None:
    key, secret = keys.create("course 101", concurrent=3)
    assert secret.startswith(PREFIX)
    assert len(secret) > 40
    assert secret.startswith(key.start)
    assert keys.find(secret) == key
    assert keys.find(secret + "x") is None
    assert keys.find("") is None
    assert keys.revoke(key.start).id == key.id
    assert keys.find(secret) is None
    (listed,) = keys.listed()
    assert (listed.revoked_at is not None, listed.concurrent) == (True, 3)
    _, again = keys.create("course 101")
    assert keys.find(again) is not None


def test_the_key_itself_is_nowhere(keys: KeyStore, database: Database) -> None:
    _, secret = keys.create("anna")
    with database.read() as connection:
        kept = repr(connection.exec_driver_sql("SELECT * FROM api_keys").all())
    assert secret not in kept
    assert secret[-8:] not in kept


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "a\nb"])
def test_bad_names_are_refused(keys: KeyStore, name: str) -> None:
    with pytest.raises(InvalidRequest):
        keys.create(name)


def test_two_keys_in_force_have_two_names_and_unknown_ones_are_named(keys: KeyStore) -> None:
    keys.create("anna")
    with pytest.raises(InvalidRequest, match="already"):
        keys.create("anna")
    with pytest.raises(InvalidRequest, match="bert"):
        keys.revoke("bert")


def test_tokens_are_those_of_today(keys: KeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    key, secret = keys.create("anna")
    keys.count(key.id, 5)
    keys.count(key.id, 7)
    found = keys.find(secret)
    assert found is not None
    assert found.used_tokens == 12
    assert found.last_used_at is not None
    monkeypatch.setattr(module, "utc_now", lambda: datetime(2099, 1, 1, tzinfo=UTC))
    keys.count(key.id, 1)
    found = keys.find(secret)
    assert found is not None
    assert (found.used_on, found.used_tokens) == ("2099-01-01", 1)
