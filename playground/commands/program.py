"""The program `python -m playground`: its tree of sub-commands, and how errors end it.

Exit status: 0 done, 1 done but with something that could not run, 2 not done, after one clear sentence.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from playground.commands import check, evaluate, models, policies, rules
from playground.errors import PlaygroundError

MODERATION = (check, evaluate, policies, rules)


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
    room = rooms.add_parser(
        "moderation", help="the safety layer: try it, measure it, edit its rules", allow_abbrev=False
    )
    parsers = room.add_subparsers(metavar="COMMAND", required=True)
    for command in MODERATION:
        command.add_to(parsers)
    room = rooms.add_parser("models", help="which models there are: find, fetch, convert, remove", allow_abbrev=False)
    models.add_to(room.add_subparsers(metavar="COMMAND", required=True))
    return parser
