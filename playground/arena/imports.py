"""Votes of a file as votes that can be kept beside one's own: marked, and without anybody's words or names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from playground.arena.style import Style
from playground.arena.vote_files import answer_styles, column_of, votes_from_table
from playground.storage.votes import Vote, VotedSide

_UNKNOWN = VotedSide()


def read_ballots(table: Mapping[str, Sequence[Any]], fingerprint: Callable[[str], str]) -> list[Vote]:
    """The votes of a table (see `vote_files.read_table`), each with an id that follows from its row.

    People and questions become keyed hashes, so the same file read again gives the same votes. Raises InvalidRequest
    naming what is missing or wrong. Votes on a model against itself are left out.
    """
    votes_from_table(table)  # says what is wrong with it
    count = len(table["winner"])
    sessions, prompts = (
        column_of(table, name) or [f"row {row}" for row in range(count)] for name in ("session", "prompt")
    )
    styles = answer_styles(table)
    languages, categories = (table.get(name, [""] * count) for name in ("language", "category"))
    seen: dict[str, int] = {}
    ballots = []
    for row in range(count):
        if str(table["model_a"][row]) == str(table["model_b"][row]):
            continue
        what = (
            f"{table['model_a'][row]}\n{table['model_b'][row]}\n{table['winner'][row]}\n{sessions[row]}\n{prompts[row]}"
        )
        seen[what] = seen.get(what, 0) + 1
        first, second = (None, None) if styles is None else styles[row]
        ballots.append(
            Vote(
                id=fingerprint(f"imported vote\n{what}\n{seen[what]}"),
                model_a=str(table["model_a"][row])[:200],
                model_b=str(table["model_b"][row])[:200],
                winner=str(table["winner"][row]),
                mode="imported",
                imported=True,
                session=fingerprint(f"imported session {sessions[row]}"),
                prompt_hash=fingerprint(f"imported prompt {prompts[row]}"),
                language=str(languages[row])[:8],
                category=str(categories[row])[:32],
                side_a=_side(first),
                side_b=_side(second),
            )
        )
    return ballots


def _side(style: Style | None) -> VotedSide:
    return _UNKNOWN if style is None else VotedSide(style=asdict(style))
