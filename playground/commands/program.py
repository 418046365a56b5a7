"""The program `python -m playground`: its tree of sub-commands, and how errors end it.

Exit status: 0 done, 1 done but with something that could not run, 2 not done, after one clear sentence.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from playground.commands import batch, check, doctor, evaluate, keys, models, policies, ratings, rules, votes
from playground.errors import PlaygroundError

# Room, what it is for, and its sub-commands.
ROOMS = (
    ("arena", "votes and what they tell", (ratings, votes, batch)),
    ("keys", "keys of the HTTP API under /v1", (keys,)),
    ("models", "which models there are: find, fetch, convert, remove", (models,)),
    ("moderation", "the safety layer: try it, measure it, edit its rules", (check, evaluate, policies, rules)),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one sub-command; returns the exit status. Unknown sub-commands and options exit with 2, named."""
    options = build_parser().parse_args(arguments)
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    try:
        status: int = options.run(options)
    except PlaygroundError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except BrokenPipeError:  # the reader of our output has seen enough (`| head`)
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return 130
    return status


def build_parser() -> argparse.ArgumentParser:
    """The whole tree of options."""
    parser = argparse.ArgumentParser(
        prog="python -m playground",
        description="Tools for the operator of the playground. `python app.py` serves it.",
        allow_abbrev=False,
    )
    rooms = parser.add_subparsers(metavar="COMMAND", required=True)
    doctor.add_to(rooms)
    for name, purpose, commands in ROOMS:
        room = rooms.add_parser(name, help=purpose, allow_abbrev=False)
        parsers = room.add_subparsers(metavar="COMMAND", required=True)
        for command in commands:
            command.add_to(parsers)
    return parser
