"""What callers did lately, counted in this process; `storage.usage` does it for several processes."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from playground.domain import utc_now
from playground.storage.usage import MINUTE, Standing

_MINUTE = MINUTE.total_seconds()
_MOST_KNOWN = 4096


class Accounts(Protocol):
    """Who asked how often, and how much."""

    def enter(self, caller: str, often: int, check: Callable[[Standing], None]) -> str:
        """Count one more request of a caller, unless `check` raises; returns its ticket. May raise StorageError.

        `often` is how many a minute may see (0: any number).
        """
        ...

    def leave(self, caller: str, ticket: str, tokens: int) -> None:
        """The request has ended. May raise StorageError."""
        ...


@dataclass(slots=True)
class _Account:
    """What one caller did lately. `tokens` are those of the day `day`."""

    times: deque[float] = field(default_factory=deque)
    running: int = 0
    day: str = ""
    tokens: int = 0


class LocalAccounts:
    """See `Accounts`. Those who did nothing lately are forgotten."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._accounts: dict[str, _Account] = {}
        self._lock = threading.Lock()

    def enter(self, caller: str, often: int, check: Callable[[Standing], None]) -> str:
        """Count one more; see `Accounts`."""
        with self._lock:
            now = self._clock()
            account = self._account(caller, now)
            reached = often and len(account.times) >= often
            wait = account.times[len(account.times) - often] + _MINUTE - now if reached else 0.0
            check(Standing(account.running, account.tokens, wait))
            account.times.append(now)
            account.running += 1
        return ""

    def leave(self, caller: str, ticket: str, tokens: int) -> None:
        """One less; see `Accounts`."""
        del ticket
        with self._lock:
            account = self._account(caller, self._clock())
            account.running -= 1
            account.tokens += tokens

    def _account(self, owner: str, now: float) -> _Account:
        if len(self._accounts) >= _MOST_KNOWN:
            idle = [name for name, one in self._accounts.items() if not one.running and not _fresh(one, now)]
            for name in idle:
                del self._accounts[name]
        account = self._accounts.setdefault(owner, _Account())
        while account.times and account.times[0] <= now - _MINUTE:
            account.times.popleft()
        if account.day != today():
            account.day, account.tokens = today(), 0
        return account


def _fresh(account: _Account, now: float) -> bool:
    """Whether anything of it still counts."""
    recent = bool(account.times) and account.times[-1] > now - _MINUTE
    return recent or (account.tokens > 0 and account.day == today())


def today() -> str:
    """The day by which tokens are counted (UTC)."""
    return utc_now().date().isoformat()
