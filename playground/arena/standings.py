"""The leaderboard of the votes that are kept here: read again only as far as they changed, rated only when they did."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from playground.arena.contract import Mode, TableChoice
from playground.errors import InvalidRequest
from playground.storage.votes import VoteStore

if TYPE_CHECKING:
    from playground.arena.leaderboard import Leaderboard
    from playground.arena.ledger import Kind, Ledger
    from playground.arena.posterior import Spread
    from playground.arena.votes import Votes

MODES = (*(mode.value for mode in Mode), "imported")
_MOST_TABLES = 16
T = TypeVar("T")


class Standings:
    """Safe to use from many threads. Every method may raise StorageError."""

    def __init__(self, store: VoteStore) -> None:
        self._store = store
        self._counting = threading.Lock()  # one table at a time; what only reads votes does not wait for it
        self._lock = threading.Lock()
        self._state: tuple[int, datetime | None] = (0, None)
        self._kept: Ledger | None = None
        self._tables: dict[TableChoice, Leaderboard] = {}
        self._spreads: dict[TableChoice, Spread] = {}

    def leaderboard(self, choice: TableChoice) -> Leaderboard:
        """The table. Raises InvalidRequest when these are no votes on two models, or for an unknown choice.

        How far people and prompts move ratings is looked for anew once there are noticeably more votes.
        """
        from playground.arena.leaderboard import build_leaderboard  # noqa: PLC0415  scipy only when something is rated

        with self._counting:
            with self._lock:
                ledger, state = self._refreshed(), self._state
                table, spread = self._tables.get(choice), self._spreads.get(choice)
                votes = _chosen(ledger, choice) if table is None else None
            if table is not None:
                return table
            if votes is None:
                raise InvalidRequest("There are no votes on two different models yet. Vote in a few battles first.")
            table = build_leaderboard(votes, ties=choice.ties, styles=choice.style, spread=spread)
            with self._lock:
                _keep(self._spreads, choice, table.spread)
                if self._state == state:
                    _keep(self._tables, choice, table)
            return table

    def votes(self, choice: TableChoice) -> Votes | None:
        """The votes as columns; None when there are none. Raises InvalidRequest for an unknown mode."""
        with self._lock:
            return _chosen(self._refreshed(), choice)

    def kinds(self) -> dict[Kind, int]:
        """How many votes there are of each kind."""
        with self._lock:
            return self._refreshed().kinds()

    def rows(self) -> Iterator[dict[str, Any]]:
        """Every vote as a row of a file, read little by little; see `exports` for what it tells of people."""
        from playground.arena.exports import export_rows  # noqa: PLC0415  numpy only when there is something to count

        return export_rows(self._store.every())

    def _refreshed(self) -> Ledger:
        """The votes with what was cast or changed since the last time."""
        from playground.arena.ledger import Ledger  # noqa: PLC0415  numpy only when there is something to count

        kept = self._kept or Ledger()
        state = self._store.state()
        if self._kept is None or state != self._state:
            for part in self._store.changed_since(self._state[1]):
                kept.take(part)
            if len(kept) != state[0]:  # some were taken back, or made before the newest known one and kept after it
                kept = Ledger()
                for part in self._store.changed_since(None):
                    kept.take(part)
            self._kept, self._state = kept, state
            self._tables.clear()
        return kept


def _chosen(ledger: Ledger, choice: TableChoice) -> Votes | None:
    unknown = [mode for mode in choice.modes if mode not in MODES]
    if unknown:
        raise InvalidRequest(f"There are no votes of the kind {unknown[0]!r:.40}; there are: {', '.join(MODES)}.")
    return ledger.votes(choice)


def _keep(kept: dict[TableChoice, T], choice: TableChoice, value: T) -> None:
    while len(kept) >= _MOST_TABLES:
        del kept[next(iter(kept))]
    kept[choice] = value
