"""How often, how much and how many at once: per key, and per visitor where no key is needed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from playground.api.accounts import Accounts, LocalAccounts, today
from playground.config import Settings
from playground.domain import utc_now
from playground.errors import LimitReached, StorageError
from playground.log import request_id
from playground.storage.keys import ApiKey, KeyStore
from playground.storage.usage import Standing

log = logging.getLogger(__name__)

_WHEN_FULL_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a key, or a visitor without one. `owner` is whose turn it is in the line of answers.

    `request` is the id of the request with which they were let in: what is done later, by Gradio's queue, is for it.
    """

    owner: str
    key: ApiKey | None = None
    request: str = field(default_factory=request_id, compare=False)


class Ticket:
    """One request that is going on; `close` ends it and counts its tokens. May be closed twice."""

    def __init__(self, close: Callable[[int], None]) -> None:
        self._close: Callable[[int], None] | None = close

    def close(self, tokens: int = 0) -> None:
        """The request has ended."""
        close, self._close = self._close, None
        if close is not None:
            close(tokens)


class Limits:
    """Limits over `accounts` (None: this process alone); the tokens of a key are kept with the key, in the database.

    Requests per minute are those of the last 60 seconds. 0 in the settings is no limit.
    """

    def __init__(self, settings: Settings, keys: KeyStore, accounts: Accounts | None = None) -> None:
        self._settings = settings
        self._keys = keys
        self._accounts = accounts or LocalAccounts()

    def admit(self, caller: Caller) -> Ticket:
        """Let a request begin. Raises LimitReached, with what was reached and when to come again; StorageError."""
        key, settings = caller.key, self._settings
        often = (key.requests_per_minute if key else None) or settings.api_requests_per_minute
        much = (key.tokens_per_day if key else None) or settings.api_tokens_per_day
        at_once = (key.concurrent if key else None) or settings.api_concurrent

        def check(standing: Standing) -> None:
            used = key.used_tokens if key and key.used_on == today() else 0 if key else standing.tokens
            if much and used >= much:
                raise LimitReached(
                    f"The {much:,} tokens of today are used up. Come back tomorrow (UTC).", _until_tomorrow()
                )
            if at_once and standing.running >= at_once:
                raise LimitReached(
                    f"{at_once:,} requests are going on already. Wait for one to end.", _WHEN_FULL_SECONDS
                )
            if standing.wait > 0:
                seconds = max(1, round(standing.wait))
                raise LimitReached(f"More than {often:,} requests in a minute. Wait {seconds} s.", standing.wait)

        ticket = self._accounts.enter(caller.owner, often, check)
        return Ticket(lambda tokens: self._leave(caller, ticket, tokens))

    def _leave(self, caller: Caller, ticket: str, tokens: int) -> None:
        try:
            self._accounts.leave(caller.owner, ticket, tokens)
            if caller.key is not None:
                self._keys.count(caller.key.id, tokens)
        except StorageError:
            log.warning("%d tokens of %s could not be counted", tokens, caller.key.id if caller.key else "a visitor")


def _until_tomorrow() -> float:
    now = utc_now()
    return (datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1) - now).total_seconds()
