"""What clients were told, kept to be held against what the server has afterwards. Safe to use from many threads."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Ledger:
    """`messages` are (role, text) that a page showed as taken or finished, `votes` comparisons whose vote was shown,
    `decisions` ids of receipts. `outcomes` counts how requests ended; `troubles` are those that ended with nothing.
    """

    forbidden: bytes = b""
    messages: set[tuple[str, str]] = field(default_factory=set)
    votes: set[str] = field(default_factory=set)
    decisions: set[str] = field(default_factory=set)
    outcomes: Counter[str] = field(default_factory=Counter)
    troubles: list[str] = field(default_factory=list)
    leaks: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, outcome: str) -> None:
        """A request ended like this."""
        with self.lock:
            self.outcomes[outcome] += 1

    def fail(self, what: str, error: object) -> None:
        """A client got neither an answer nor an error."""
        with self.lock:
            self.troubles.append(f"{what}: {error!r}"[:300])

    def look_through(self, received: bytes) -> None:
        """Count it if there is something in it that must not leave."""
        if self.forbidden and self.forbidden in received.lower():
            with self.lock:
                self.leaks += 1

    def lost(self, database: Path) -> dict[str, list[str]]:
        """What was acknowledged and is not there, by kind."""
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            kept = set(connection.execute("SELECT role, content FROM messages"))
            votes = {row[0] for row in connection.execute("SELECT comparison_id FROM votes")}
            decisions = {row[0] for row in connection.execute("SELECT verdict_id FROM decisions")}
        return {
            "messages": [f"{role}: {text[:60]}" for role, text in self.messages - kept],
            "votes": sorted(self.votes - votes),
            "decisions": sorted(self.decisions - decisions),
        }
