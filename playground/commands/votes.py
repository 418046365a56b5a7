"""`arena export` and `arena import`: the votes kept here, to and from files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from playground.config import load_settings
from playground.errors import InvalidRequest, StorageError


def add_to(parsers: Any) -> None:
    """The sub-commands and their options."""
    out = parsers.add_parser("export", help="write the votes kept here to a file", allow_abbrev=False)
    out.add_argument("file", metavar="FILE", type=Path, help="its ending says the kind: .csv, .jsonl, .parquet")
    out.set_defaults(run=export_votes)
    into = parsers.add_parser("import", help="add the votes of a file to those kept here", allow_abbrev=False)
    into.add_argument("file", metavar="FILE", type=Path, help="CSV, JSON, JSONL, Parquet, the public arena's form too")
    into.set_defaults(run=import_votes)


def export_votes(options: argparse.Namespace) -> int:
    """Write every vote, under pseudonyms of this file only.

    Raises InvalidRequest for an unknown kind of file, StorageError when it cannot be written.
    """
    from playground.arena.standings import Standings  # noqa: PLC0415  the database only when it is asked for
    from playground.arena.vote_files import write_votes  # noqa: PLC0415
    from playground.services import open_votes  # noqa: PLC0415

    votes = open_votes(load_settings([]))
    if not votes.state()[0]:
        raise InvalidRequest("There are no votes here yet. Vote in a few battles first.")
    try:
        count = write_votes(Standings(votes).rows(), options.file)
    except OSError as error:
        raise StorageError(f"{options.file} cannot be written ({error.strerror}). Choose another place.") from error
    sys.stdout.write(f"{count:,} votes written to {options.file}.{_told(votes.on_one_model())}\n")
    return 0


def import_votes(options: argparse.Namespace) -> int:
    """Keep the votes of a file, marked as imported. Raises InvalidRequest naming what is wrong with it."""
    from playground.arena.imports import read_ballots  # noqa: PLC0415
    from playground.arena.vote_files import read_table  # noqa: PLC0415
    from playground.moderation.fingerprint import Fingerprint, load_key  # noqa: PLC0415
    from playground.services import open_votes  # noqa: PLC0415

    settings = load_settings([])
    table = read_table(options.file)
    ballots = read_ballots(table, Fingerprint(load_key(settings.data_dir)))
    fresh = open_votes(settings).add(ballots)
    sys.stdout.write(
        f"{len(ballots):,} votes read, {fresh:,} of them new. They count where imported votes are chosen."
        f"{_told(len(table['winner']) - len(ballots))}\n"
    )
    return 0


def _told(left_out: int) -> str:
    """What is said of votes on a model against itself."""
    return f" {left_out:,} left out: both sides were the same model." if left_out else ""
