"""`doctor`: looks at this machine and at what is set up on it, and says what to mend."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playground.doctor.findings import Finding


def add_to(parsers: Any) -> None:
    """The command and its options."""
    parser = parsers.add_parser("doctor", help="look at this machine and say what to mend", allow_abbrev=False)
    parser.add_argument("--network", action="store_true", help="also ask the Hub and a remote moderation endpoint")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Examine and print, each finding as it comes; 1 when something has to be mended."""
    from playground.doctor.checkup import examine  # noqa: PLC0415  `--help` must stay quick
    from playground.doctor.findings import State  # noqa: PLC0415

    findings = []
    for finding in examine(ask_network=options.network):
        findings.append(finding)
        if not options.json:
            sys.stdout.write(_line(finding))
            sys.stdout.flush()
    counts = {state: sum(one.state is state for one in findings) for state in State}
    if options.json:
        told = {"healthy": not counts[State.FIX], "findings": [asdict(one) for one in findings]}
        sys.stdout.write(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(f"\n{counts[State.FIX]} to mend, {counts[State.NOTE]} to know, {counts[State.OK]} well.\n")
    return 1 if counts[State.FIX] else 0


def _line(finding: Finding) -> str:
    line = f"{finding.state.value:<5} {finding.subject:<16} {finding.said}\n"
    return line + (f"{'':<22} -> {finding.advice}\n" if finding.advice else "")
