"""Limits by a clock of the test's own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from playground.api import accounts as module
from playground.api.accounts import LocalAccounts
from playground.api.limits import Caller, Limits
from playground.config import Settings
from playground.errors import LimitReached
from playground.storage.keys import ApiKey, KeyStore
from tests.api.conftest import Site

NONE = Settings(api_requests_per_minute=0, api_tokens_per_day=0, api_concurrent=0)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def limits(app: Site, settings: Settings, clock: Clock) -> Limits:
    return Limits(settings, KeyStore(app.services.database), LocalAccounts(clock))


def test_a_minute_slides(app: Site) -> None:
    clock = Clock()
    limited = limits(app, replace(NONE, api_requests_per_minute=2), clock)
    limited.admit(Caller("a")).close()
    clock.now += 40
    limited.admit(Caller("a")).close()
    with pytest.raises(LimitReached, match="Wait 20 s") as caught:
        limited.admit(Caller("a"))
    assert caught.value.retry_after == 20
    limited.admit(Caller("b")).close()
    clock.now += 20
    limited.admit(Caller("a")).close()


def test_what_goes_on_is_counted_until_it_ends_once(app: Site) -> None:
    limited = limits(app, replace(NONE, api_concurrent=1), Clock())
    ticket = limited.admit(Caller("a"))
    with pytest.raises(LimitReached):
        limited.admit(Caller("a"))
    ticket.close()
    ticket.close()
    limited.admit(Caller("a"))
    with pytest.raises(LimitReached):
        limited.admit(Caller("a"))


def test_tokens_of_visitors_end_with_the_day(app: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    limited = limits(app, replace(NONE, api_tokens_per_day=10), Clock())
    limited.admit(Caller("a")).close(10)
    with pytest.raises(LimitReached, match="tomorrow") as caught:
        limited.admit(Caller("a"))
    assert 0 < caught.value.retry_after <= 86_400
    monkeypatch.setattr(module, "today", lambda: "2099-01-01")
    limited.admit(Caller("a"))


def test_a_key_s_own_limits_come_before_those_of_everybody(app: Site) -> None:
    key = ApiKey(name="k", start="pk-", concurrent=2)
    limited = limits(app, replace(NONE, api_concurrent=1), Clock())
    for _ in range(2):
        limited.admit(Caller("key-k", key))
    with pytest.raises(LimitReached):
        limited.admit(Caller("key-k", key))


def test_callers_who_did_nothing_lately_are_forgotten(app: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_KNOWN", 3)
    clock = Clock()
    accounts = LocalAccounts(clock)
    limited = Limits(replace(NONE, api_requests_per_minute=1), KeyStore(app.services.database), accounts)
    for name in "abcdef":
        limited.admit(Caller(name)).close()
        clock.now += 61
    assert len(accounts._accounts) <= 3
