"""`moderation check`: what every detector says about one text, and what the policy makes of it."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playground.commands.gate import Gate, add_policy_options, open_gate
from playground.domain import Direction, Verdict
from playground.errors import InvalidRequest
from playground.text import shorten


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
    from playground.moderation.moderator import PolicyModerator, make_detector  # noqa: PLC0415
    from playground.moderation.time_limit import limited  # noqa: PLC0415

    chosen = gate.policy.detectors[direction]
    detectors = {name: make_detector(name, gate.registry[name]) for name in (chosen if only else gate.registry)}
    timed = [limited(detector, gate.policy.time_limit) for detector in detectors.values()]
    scans = [_scan(gate, detector, text, direction) | {"in_policy": detector.name in chosen} for detector in timed]
    needed = {name for way in Direction for name in gate.policy.detectors[way]}
    made = detectors | {name: make_detector(name, gate.registry[name]) for name in needed - set(detectors)}
    began = time.perf_counter()
    verdicts, released = _decide(PolicyModerator(gate.policy, made), text, direction)
    elapsed = (time.perf_counter() - began) * 1000
    return {
        "policy": gate.policy.name,
        "direction": direction.value,
        "characters": len(text),
        "detectors": scans,
        "verdict": _verdict(verdicts) | {"elapsed_ms": elapsed, "released_characters": released},
    }


def _decide(moderator: Any, text: str, direction: Direction) -> tuple[tuple[Verdict, ...], int]:
    if direction is Direction.INPUT:
        screened = moderator.check_input(text)
        return (screened.verdict,) if screened.verdict else (), len(screened.text)
    guard = moderator.guard(direction)
    released = len(guard.feed(text).text) + len(guard.finish().text)
    return guard.verdicts, released


def _scan(gate: Gate, detector: Any, text: str, direction: Direction) -> dict[str, Any]:
    from playground.errors import DetectorUnavailable  # noqa: PLC0415
    from playground.moderation.screening import scan_one  # noqa: PLC0415

    began = time.perf_counter()
    try:
        findings, error = scan_one(detector, text), ""
    except DetectorUnavailable as reason:
        findings, error = [], str(reason)
    rulings = [gate.policy.rule(direction, finding) for finding in findings]
    return {
        "detector": detector.name,
        "version": detector.version,
        "elapsed_ms": (time.perf_counter() - began) * 1000,
        "error": error,
        "findings": [
            {
                "category": ruling.finding.category,
                "score": ruling.finding.score,
                "threshold": ruling.threshold,
                "action": ruling.action.value,
                "span": list(ruling.finding.span),
                "explanation": ruling.finding.explanation,
            }
            for ruling in sorted(rulings, key=lambda ruling: -ruling.finding.score)
        ],
    }


def _verdict(verdicts: tuple[Verdict, ...]) -> dict[str, Any]:
    from playground.moderation.screening import SEVERITY  # noqa: PLC0415

    last = max(verdicts, key=lambda verdict: SEVERITY[verdict.action], default=None)
    return {
        "action": last.action.value if last else "allow",
        "unavailable": last.unavailable if last else False,
        "degraded": sorted({name for verdict in verdicts for name in verdict.degraded}),
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
