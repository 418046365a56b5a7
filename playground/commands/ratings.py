"""`arena ratings`: the leaderboard of a file of votes, or of those that are kept here."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playground.errors import InvalidRequest

if TYPE_CHECKING:
    from playground.arena.leaderboard import Leaderboard
    from playground.arena.votes import Votes

_TIES = ("apart", "davidson", "half")
_WIDEST = 1000.0


def add_to(parsers: Any) -> None:
    """The sub-command and its options."""
    parser = parsers.add_parser("ratings", help="the leaderboard of votes", allow_abbrev=False)
    columns = "columns model_a, model_b, winner; perhaps session, prompt, language, category and the answers"
    parser.add_argument(
        "--votes", metavar="FILE", type=Path, help=f"CSV, JSON, JSONL, Parquet: {columns} [the votes kept here]"
    )
    parser.add_argument(
        "--mode", action="append", help="of the votes kept here: blind, named, duel, imported [blind, duel]"
    )
    parser.add_argument("--ties", choices=_TIES, default="apart", help="what a tie says of who is stronger [apart]")
    parser.add_argument(
        "--style-control", action="store_true", help="compare as if answers had equal length and markdown"
    )
    parser.add_argument("--language", metavar="NAME", help="only votes in this language")
    parser.add_argument("--category", metavar="NAME", help="only votes of this category")
    parser.add_argument("--rounds", type=int, default=100, help="re-weightings of people and prompts; 0: none [100]")
    parser.add_argument(
        "--width",
        metavar="W",
        type=_width,
        help="how far apart models are taken to be, as the standard deviation of their log-odds; one as large as "
        "1000 leaves ratings to the votes alone, as in published tables [estimated from the votes]",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the random draws [0]")
    parser.add_argument("--json", action="store_true", help="print JSON: a list of rows")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Rate and print. Raises InvalidRequest for a file that holds no votes or a bad choice."""
    from playground.arena.leaderboard import build_leaderboard  # noqa: PLC0415  scipy only when something is rated
    from playground.arena.vote_files import read_votes  # noqa: PLC0415

    votes = read_votes(options.votes) if options.votes is not None else _kept(options)
    for label in ("language", "category"):
        if getattr(options, label):
            votes = votes.labelled(label, getattr(options, label))
    table = build_leaderboard(
        votes,
        ties=options.ties,
        styles=options.style_control,
        rounds=max(0, options.rounds),
        seed=options.seed,
        width=options.width,
    )
    rows = [asdict(standing) for standing in table.standings]
    sys.stdout.write(json.dumps(rows, indent=1) + "\n" if options.json else "\n".join(_lines(table)) + "\n")
    return 0


def _width(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= _WIDEST:
        raise argparse.ArgumentTypeError(f"{text} is no width; give a number above 0, up to {_WIDEST:g}")
    return value


def _kept(options: argparse.Namespace) -> Votes:
    """The votes of the data folder, those of language and category only."""
    from playground.arena.contract import TableChoice  # noqa: PLC0415  the database only where it is asked for
    from playground.arena.standings import Standings  # noqa: PLC0415
    from playground.config import load_settings  # noqa: PLC0415
    from playground.services import open_votes  # noqa: PLC0415

    choice = TableChoice(style=options.style_control)
    if options.mode:
        choice = replace(choice, modes=tuple(options.mode))
    votes = Standings(open_votes(load_settings([]))).votes(choice)
    if votes is None:
        raise InvalidRequest("There are no such votes here yet. Vote in a few battles, or give a file with --votes.")
    return votes


def _lines(table: Leaderboard) -> Iterator[str]:
    width = max(len(standing.model) for standing in table.standings)
    yield f"rank  {'model':<{width}}  rating  95 % interval  votes  best  votes to part from the next"
    for line in table.standings:
        more = "-" if line.separate is None else f"{line.separate:,}"
        yield (
            f"{line.rank:>4}  {line.model:<{width}}  {line.rating:>6.0f}  {line.lower:>5.0f} to {line.upper:<5.0f}  "
            f"{line.votes:>5}  {line.best:>4.0%}  {more}"
        )
    yield f"{table.battles:,} votes, {table.ties:,} of them ties."
    if table.left_out:
        yield f"{table.left_out:,} left out: both sides were the same model."
    yield (
        f"{table.people:,} people voted, as far as sessions tell."
        if table.people > 1
        else "All votes come from one session: how differently other people would vote is not in the intervals."
    )
    if table.fragility is not None:
        yield (
            f"Without {table.fragility.votes:,} of these votes {table.fragility.rival} would be first."
            if table.fragility.votes is not None
            else "No removal of votes was found that changes the first place."
        )
