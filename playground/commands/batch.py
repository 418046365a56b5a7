"""`arena duel`: many questions to several models, whose answers then wait to be graded blind."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
        help="a question a line, or JSON lines with a key prompt",
    )
    parser.add_argument("--models", metavar="A,B,...", required=True, help="two or more models of the catalogue")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Ask what has not been answered yet; the same command again goes on. Raises InvalidRequest, UnknownModel."""
    questions = read_questions(options.prompts)
    from playground.services import build  # noqa: PLC0415  everything, and only when something is asked

    services = build(load_settings([]), recover=False)  # a server may be running on the same data
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


def read_questions(path: Path) -> list[str]:
    """The questions of a file. Raises InvalidRequest when it cannot be read, or a line is wrong."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
        if path.suffix != ".jsonl":
            return [line for line in lines if line]
        rows = [json.loads(line) for line in lines if line]
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidRequest(f"{path.name} cannot be read as questions ({type(error).__name__}).") from error
    wrong = next((number for number, row in enumerate(rows, 1) if not _has_prompt(row)), None)
    if wrong is not None:
        raise InvalidRequest(f"{path.name}: row {wrong} has no text under the key prompt.")
    return [row["prompt"] for row in rows]


def _has_prompt(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get("prompt"), str) and bool(row["prompt"].strip())


def _tell(progress: Progress) -> None:
    line = f"{progress.model_id}: {progress.done:,} of {progress.total:,} answers"
    sys.stderr.write(f"\r{line}" if sys.stderr.isatty() else f"{line}\n")
