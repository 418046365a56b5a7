"""The leaderboard of the votes that are kept here: read again only as far as they changed, rated only when they did."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from playground.arena.contract import Mode, TableChoice
from playground.arena.style import FEATURES, Style, compare_styles
from playground.errors import InvalidRequest
from playground.storage.votes import Vote, VoteStore

if TYPE_CHECKING:
    from playground.arena.leaderboard import Leaderboard
    from playground.arena.votes import Votes

MODES = (*(mode.value for mode in Mode), "imported")
_MOST_TABLES = 16


class Standings:
    """Safe to use from many threads. Every method may raise StorageError."""

    def __init__(self, store: VoteStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._state: tuple[int, datetime | None] = (0, None)
        self._votes: dict[str, Vote] = {}
        self._tables: dict[TableChoice, Leaderboard] = {}

    def leaderboard(self, choice: TableChoice) -> Leaderboard:
        """The table. Raises InvalidRequest when these are no votes on two models, or for an unknown choice."""
        from playground.arena.leaderboard import build_leaderboard  # noqa: PLC0415  scipy only when something is rated

        with self._lock:
            self._refresh()
            table = self._tables.get(choice)
            if table is None:
                votes = self._chosen(choice)
                if votes is None:
                    raise InvalidRequest("There are no votes on two different models yet. Vote in a few battles first.")
                table = build_leaderboard(votes, ties=choice.ties, styles=choice.style)
                while len(self._tables) >= _MOST_TABLES:
                    del self._tables[next(iter(self._tables))]
                self._tables[choice] = table
            return table

    def votes(self, choice: TableChoice) -> Votes | None:
        """The votes as columns; None when there are none. Raises InvalidRequest for an unknown mode."""
        with self._lock:
            self._refresh()
            return self._chosen(choice)

    def count(self) -> dict[str, int]:
        """How many votes there are, by mode."""
        with self._lock:
            self._refresh()
            counts = dict.fromkeys(MODES, 0)
            for vote in self._votes.values():
                counts[_mode(vote)] += 1
        return counts

    def rows(self) -> list[dict[str, Any]]:
        """Every vote as a row for `vote_files.write_votes`."""
        with self._lock:
            self._refresh()
            return [_row(vote) for vote in self._votes.values()]

    def _refresh(self) -> None:
        """Read what was cast, changed or taken back since the last time."""
        state = self._store.state()
        if state == self._state:
            return
        for vote in self._store.changed_since(self._state[1]):
            self._votes[vote.id] = vote
        if len(self._votes) != state[0]:  # some were taken back
            self._votes = {vote.id: vote for vote in self._store.changed_since(None)}
        self._state = state
        self._tables.clear()

    def _chosen(self, choice: TableChoice) -> Votes | None:
        from playground.arena.votes import build_votes  # noqa: PLC0415

        unknown = [mode for mode in choice.modes if mode not in MODES]
        if unknown:
            raise InvalidRequest(f"There are no votes of the kind {unknown[0]!r:.40}; there are: {', '.join(MODES)}.")
        chosen = [vote for vote in self._votes.values() if _counts(vote, choice)]
        if not chosen:
            return None
        return build_votes(
            [vote.model_a for vote in chosen],
            [vote.model_b for vote in chosen],
            [vote.winner for vote in chosen],
            session=[vote.session for vote in chosen],
            prompt=[vote.prompt_hash for vote in chosen],
            styles=_styles(chosen) if choice.style else None,
            labels={
                "language": [vote.language for vote in chosen],
                "category": [vote.category for vote in chosen],
            },
        )


def _mode(vote: Vote) -> str:
    return "imported" if vote.imported else vote.mode


def _counts(vote: Vote, choice: TableChoice) -> bool:
    return (
        _mode(vote) in choice.modes
        and (choice.tainted or not vote.tainted)
        and choice.language in ("", vote.language)
        and choice.category in ("", vote.category)
        and not (choice.style and (vote.side_a.style is None or vote.side_b.style is None))
    )


def _styles(votes: Sequence[Vote]) -> Any:
    import numpy as np  # noqa: PLC0415

    from playground.arena.style import scale_styles  # noqa: PLC0415

    rows = [compare_styles(Style(**(vote.side_a.style or {})), Style(**(vote.side_b.style or {}))) for vote in votes]
    return scale_styles(np.array(rows, dtype=np.float64))


def _row(vote: Vote) -> dict[str, Any]:
    """A vote as a flat row: the columns that every reader of votes knows come first."""
    row: dict[str, Any] = {
        "model_a": vote.model_a,
        "model_b": vote.model_b,
        "winner": vote.winner,
        "session": vote.session,
        "prompt": vote.prompt_hash,
        "language": vote.language,
        "category": vote.category,
        "mode": vote.mode,
        "tainted": vote.tainted,
        "imported": vote.imported,
        "turns": vote.turns,
        "created_at": vote.created_at.isoformat(),
        "id": vote.id,
    }
    for side, kept in (("a", vote.side_a), ("b", vote.side_b)):
        row |= {
            f"revision_{side}": kept.revision,
            f"precision_{side}": kept.precision,
            f"engine_{side}": kept.engine,
            f"params_{side}": ", ".join(f"{name}={value}" for name, value in sorted(kept.params.items())),
            f"conversation_hash_{side}": kept.conversation_hash,
            f"tokens_{side}": kept.tokens,
            **{f"{name}_{side}": (kept.style or {}).get(name, "") for name in FEATURES},
        }
    return row
