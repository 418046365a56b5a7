"""`moderation check`: what every detector says about one text, and what the policy makes of it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playground.commands.gate import Gate, add_policy_options, open_gate
from playground.domain import Direction
from playground.errors import InvalidRequest
from playground.text import shorten

if TYPE_CHECKING:
    from playground.review.examination import Look


def add_to(parsers: Any) -> None:
    """The sub-command and its options."""
    parser = parsers.add_parser("check", help="try one text: scores, spans, times and the verdict", allow_abbrev=False)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--text", help="the text")
    source.add_argument("--file", metavar="FILE", help="a file with the text; - reads standard input")
    parser.add_argument("--direction", choices=[way.value for way in Direction], default="input", help="[input]")
    add_policy_options(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check and print; 1 when a detector of the policy could not run. Raises a PlaygroundError for a bad option."""
    gate = open_gate(options)
    text = _text(options)
    report = _report(gate, text, Direction(options.direction), only=options.detectors is not None)
    shown = json.dumps(report, indent=2) + "\n" if options.json else "\n".join(_lines(report, text)) + "\n"
    sys.stdout.write(shown)
    return 1 if report["verdict"]["degraded"] else 0


def _text(options: argparse.Namespace) -> str:
    if options.text is not None:
        return str(options.text)
    try:
        raw = sys.stdin.buffer.read() if options.file == "-" else Path(options.file).read_bytes()
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{options.file} is not UTF-8 text.") from error
    except OSError as error:
        raise InvalidRequest(f"The file {options.file} cannot be read ({error.strerror}).") from error


def _report(gate: Gate, text: str, direction: Direction, *, only: bool) -> dict[str, Any]:
    from playground.review.examination import Examiner  # noqa: PLC0415  numpy and the models only when a text is tried

    examined = Examiner(gate.registry, {}).examine(text, direction, gate.policy, everyone=not only)
    return {
        "policy": examined.policy,
        "direction": direction.value,
        "characters": len(text),
        "detectors": [_look(look) for look in examined.looks],
        "verdict": {
            "action": examined.action.value,
            "unavailable": examined.unavailable,
            "degraded": sorted({name for verdict in examined.verdicts for name in verdict.degraded}),
            "elapsed_ms": examined.elapsed_ms,
            "released_characters": len(examined.released),
        },
    }


def _look(look: Look) -> dict[str, Any]:
    return {
        "detector": look.detector,
        "version": look.version,
        "in_policy": look.in_policy,
        "elapsed_ms": look.elapsed_ms,
        "error": look.error,
        "findings": [
            {
                "category": ruling.finding.category,
                "score": ruling.finding.score,
                "threshold": ruling.threshold,
                "action": ruling.action.value,
                "span": list(ruling.finding.span),
                "explanation": ruling.finding.explanation,
            }
            for ruling in look.rulings
        ],
    }


def _lines(report: dict[str, Any], text: str) -> Iterator[str]:
    for scan in report["detectors"]:
        mark = "" if scan["in_policy"] else "   (not in this policy)"
        yield f"{scan['detector']} {scan['version']}   {scan['elapsed_ms']:.2f} ms{mark}"
        if scan["error"]:
            yield f"    could not run: {scan['error']}"
        for finding in scan["findings"]:
            start, end = finding["span"]
            yield (
                f"    {finding['category']:<16} {finding['score']:.3f} against {finding['threshold']:.2f}: "
                f"{finding['action']:<7} {start}–{end} “{shorten(text[start:end], 40)}” {finding['explanation']}"
            )
    verdict = report["verdict"]
    reason = " because a check could not run" if verdict["unavailable"] else ""
    yield f"{report['policy']}, {report['direction']}: {verdict['action']}{reason} ({verdict['elapsed_ms']:.2f} ms)"
    if verdict["degraded"]:
        yield f"Could not run: {', '.join(verdict['degraded'])}."
