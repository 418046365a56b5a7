"""Votes as rows of a file that leaves this place: figures about each, and names that say nothing anywhere else.

Whose a vote is, what it is about, and which vote it is are told by pseudonyms that are made anew for every file: keyed
hashes under a key that is thrown away with it. Votes of one session or one question still belong together within the
file; they cannot be found again in the database, nor in another file. The time is cut to the day for the same reason.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Any

from playground.arena.style import FEATURES
from playground.storage.votes import Vote, VotedSide


class Pseudonyms:
    """Names for one file: the same for the same, and without the key nothing else can be told."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def __call__(self, kind: str, name: str) -> str:
        """32 hexadecimal digits for something of a kind; empty for an empty name."""
        if not name:
            return ""
        return blake2b(f"{kind}\n{name}".encode(), key=self._key, digest_size=16).hexdigest()


def export_rows(votes: Iterable[Vote]) -> Iterator[dict[str, Any]]:
    """Flat rows for `vote_files.write_votes`: the columns that every reader of votes knows come first.

    Votes on a model against itself are left out.
    """
    pseudonym = Pseudonyms()
    for vote in votes:
        if vote.model_a == vote.model_b:
            continue
        row: dict[str, Any] = {
            "model_a": vote.model_a,
            "model_b": vote.model_b,
            "winner": vote.winner,
            "session": pseudonym("session", vote.session),
            "prompt": pseudonym("prompt", vote.prompt_hash),
            "language": vote.language,
            "category": vote.category,
            "mode": vote.mode,
            "tainted": vote.tainted,
            "imported": vote.imported,
            "turns": vote.turns,
            "schedule": vote.schedule,
            "day": vote.created_at.date().isoformat(),
            "id": pseudonym("vote", vote.id),
        }
        yield row | _side("a", vote.side_a, pseudonym) | _side("b", vote.side_b, pseudonym)


def _side(letter: str, kept: VotedSide, pseudonym: Pseudonyms) -> dict[str, Any]:
    return {
        f"revision_{letter}": kept.revision,
        f"precision_{letter}": kept.precision,
        f"engine_{letter}": kept.engine,
        f"params_{letter}": ", ".join(f"{name}={value}" for name, value in sorted(kept.params.items())),
        f"conversation_hash_{letter}": pseudonym("conversation", kept.conversation_hash),
        f"system_prompt_hash_{letter}": pseudonym("system prompt", kept.system_prompt_hash),
        f"finish_reasons_{letter}": ", ".join(kept.finish_reasons),
        f"tokens_{letter}": kept.tokens,
        **{f"{name}_{letter}": None if kept.style is None else kept.style.get(name) for name in FEATURES},
    }
