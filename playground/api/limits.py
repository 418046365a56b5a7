"""How often, how much and how many at once: per key, and per visitor where no key is needed."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from playground.config import Settings
from playground.domain import utc_now
from playground.errors import LimitReached, StorageError
from playground.storage.keys import ApiKey, KeyStore

log = logging.getLogger(__name__)

_MINUTE = 60.0
_MOST_KNOWN = 4096
_WHEN_FULL_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a key, or a visitor without one. `owner` is whose turn it is in the line of answers."""

    owner: str
    key: ApiKey | None = None


@dataclass(slots=True)
class _Account:
    """What one caller did lately. `tokens` are those of the day `day`, of visitors without a key only."""

    times: deque[float] = field(default_factory=deque)
    running: int = 0
    day: str = ""
    tokens: int = 0


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
    """Counts of this process; the tokens of a key are kept in the database and count for every process.

    Requests per minute are those of the last 60 seconds. 0 in the settings is no limit.
    """

    def __init__(self, settings: Settings, keys: KeyStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._keys = keys
        self._clock = clock
        self._accounts: dict[str, _Account] = {}
        self._lock = threading.Lock()

    def admit(self, caller: Caller) -> Ticket:
        """Let a request begin. Raises LimitReached, with what was reached and when to come again."""
        key, settings = caller.key, self._settings
        often = (key.requests_per_minute if key else None) or settings.api_requests_per_minute
        much = (key.tokens_per_day if key else None) or settings.api_tokens_per_day
        at_once = (key.concurrent if key else None) or settings.api_concurrent
        with self._lock:
            now = self._clock()
            account = self._account(caller.owner, now)
            used = key.used_tokens if key and key.used_on == _today() else 0 if key else account.tokens
            if much and used >= much:
                raise LimitReached(
                    f"The {much:,} tokens of today are used up. Come back tomorrow (UTC).", _until_tomorrow()
                )
            if at_once and account.running >= at_once:
                raise LimitReached(
                    f"{at_once:,} requests are going on already. Wait for one to end.", _WHEN_FULL_SECONDS
                )
            if often and len(account.times) >= often:
                wait = account.times[len(account.times) - often] + _MINUTE - now
                raise LimitReached(f"More than {often:,} requests in a minute. Wait {max(1, round(wait))} s.", wait)
            account.times.append(now)
            account.running += 1
        return Ticket(lambda tokens: self._leave(caller, tokens))

    def _account(self, owner: str, now: float) -> _Account:
        if len(self._accounts) >= _MOST_KNOWN:
            idle = [name for name, one in self._accounts.items() if not one.running and not _fresh(one, now)]
            for name in idle:
                del self._accounts[name]
        account = self._accounts.setdefault(owner, _Account())
        while account.times and account.times[0] <= now - _MINUTE:
            account.times.popleft()
        if account.day != _today():
            account.day, account.tokens = _today(), 0
        return account

    def _leave(self, caller: Caller, tokens: int) -> None:
        with self._lock:
            account = self._account(caller.owner, self._clock())
            account.running -= 1
            account.tokens += tokens
        if caller.key is not None:
            try:
                self._keys.count(caller.key.id, tokens)
            except StorageError:
                log.warning("the tokens of key %s could not be counted", caller.key.id)


def _fresh(account: _Account, now: float) -> bool:
    """Whether anything of it still counts."""
    recent = bool(account.times) and account.times[-1] > now - _MINUTE
    return recent or (account.tokens > 0 and account.day == _today())


def _today() -> str:
    return utc_now().date().isoformat()


def _until_tomorrow() -> float:
    now = utc_now()
    return (datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1) - now).total_seconds()
