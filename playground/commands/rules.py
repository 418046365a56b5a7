"""`moderation rules check`: whether a file of own rules would be accepted, and why not."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any


def add_to(parsers: Any) -> None:
    """The sub-command and its options."""
    parser = parsers.add_parser("rules", help="own word lists and patterns", allow_abbrev=False)
    parts = parser.add_subparsers(metavar="COMMAND", required=True)
    checking = parts.add_parser("check", help="whether a rules file would be accepted", allow_abbrev=False)
    checking.add_argument("file", metavar="FILE", type=Path, help="a rules.toml")
    checking.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Say what the file holds. Raises PolicyError with the reason when it would be refused."""
    from playground.moderation.rules_file import load_rules  # noqa: PLC0415  `--help` must stay quick

    rules = load_rules(options.file)
    words = sum(len(lexicon.entries) for lexicon in rules.lexicons)
    sys.stdout.write(
        f"{options.file}: {words} words and phrases, {len(rules.patterns)} patterns; version {rules.version}\n"
    )
    return 0
