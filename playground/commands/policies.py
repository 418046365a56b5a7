"""`moderation policies`: which policies there are, where they come from, and which one is in force."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from playground.config import load_settings
from playground.domain import Direction
from playground.errors import PolicyError


def add_to(parsers: Any) -> None:
    """The sub-command and its options."""
    parser = parsers.add_parser("policies", help="list the policies and where they come from", allow_abbrev=False)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """List and print; 1 when the policy in force cannot be used."""
    rows = _rows()
    if options.json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
    else:
        for row in rows:
            sys.stdout.write(f"{'*' if row['in_force'] else ' '} {row['name']:<12} {row['source']}\n")
            sys.stdout.write(f"    {row['error'] or _described(row)}\n")
        sys.stdout.write("* in force (the setting `policy`)\n")
    return 1 if any(row["error"] for row in rows) else 0


def _described(row: dict[str, Any]) -> str:
    input_, output = (", ".join(row["detectors"][way]) or "none" for way in ("input", "output"))
    return (
        f"releases by {row['unit']}; a check that cannot run: {row['unavailable']}; input: {input_}; output: {output}"
    )


def _rows() -> list[dict[str, Any]]:
    from playground.moderation.policy import POLICIES, builtin_policies  # noqa: PLC0415  `--help` must stay quick
    from playground.services import choose_detectors  # noqa: PLC0415

    settings = load_settings([])
    known = tuple(choose_detectors(settings))
    rows = [
        _row(name, POLICIES / f"{name}.toml", known, in_force=name == settings.policy) for name in builtin_policies()
    ]
    if not any(row["in_force"] for row in rows):
        rows.append(_row(settings.policy, Path(settings.policy), known, in_force=True))
    return rows


def _row(name: str, path: Path, known: tuple[str, ...], *, in_force: bool) -> dict[str, Any]:
    from playground.moderation.policy import load_policy  # noqa: PLC0415

    row = {"name": name, "source": str(path), "in_force": in_force, "error": ""}
    try:
        policy = load_policy(name, known)
    except PolicyError as error:
        return row | {"error": str(error)}
    return row | {
        "unit": policy.unit,
        "unavailable": policy.unavailable,
        "time_limit": policy.time_limit,
        "detectors": {way.value: list(policy.detectors[way]) for way in Direction},
    }
