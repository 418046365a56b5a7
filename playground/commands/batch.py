"""`arena duel`: many questions to several models, whose answers then wait to be graded blind."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playground.arena.questions import read_questions
from playground.config import load_settings
from playground.errors import InvalidRequest

if TYPE_CHECKING:
    from playground.arena.duel import Progress


def add_to(parsers: Any) -> None:
    """The sub-command and its options."""
    parser = parsers.add_parser(
        "duel", help="ask several models many questions, to be graded blind", allow_abbrev=False
    )
    parser.add_argument(
        "--prompts",
        metavar="FILE",
        type=Path,
        required=True,
        help="a question a line (.txt), or prompt as a key (.jsonl) or a column (.csv)",
    )
    parser.add_argument("--models", metavar="A,B,...", required=True, help="two or more models of the catalogue")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Ask what has not been answered yet; the same command again goes on. Raises InvalidRequest, UnknownModel."""
    settings = load_settings([])
    try:
        data = options.prompts.read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{options.prompts.name} cannot be read ({type(error).__name__}).") from error
    questions = read_questions(options.prompts.name, data, settings.max_message_chars)
    from playground.services import build  # noqa: PLC0415  everything, and only when something is asked

    services = build(settings, recover=False)  # a server may be running on the same data
    try:
        models = [name.strip() for name in options.models.split(",") if name.strip()]
        outcome = services.arena.duel(questions, models).run(_tell)
    finally:
        services.close()
    sys.stdout.write(
        f"{outcome.answered:,} answers, {outcome.blocked:,} stopped by the safety check, {outcome.failed:,} failed; "
        f"{outcome.pairs:,} pairs to be graded on the page.\n"
    )
    return 1 if outcome.failed else 0


def _tell(progress: Progress) -> None:
    line = f"{progress.model_id}: {progress.done:,} of {progress.total:,} answers"
    if not progress.model_id:
        line = f"safety check: {progress.done:,} of {progress.total:,} questions"
    sys.stderr.write(f"\r\x1b[K{line}" if sys.stderr.isatty() else f"{line}\n")
