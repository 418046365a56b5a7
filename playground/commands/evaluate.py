"""`moderation evaluate`: measure detectors and a policy on a labelled data set."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from playground.commands.gate import add_policy_options, open_gate
from playground.domain import Action, Direction
from playground.errors import InvalidRequest

_EPILOG = """\
The file is CSV, TSV, JSON or JSON lines, gzipped or not. Labels are 0 and 1, true and false, fractions (positive from
0.5 on), or words of which --positive says which are positive. Without --label every row counts as negative, for
measuring false alarms on harmless text. Jigsaw's column names are understood. Figures for a detector are at the
policy's threshold for the category; the policy as a whole flags a text when it would take --action. A broken row is
counted and named, not fatal. Exit status: 0 done, 1 done but a detector could not run, 2 not done.
"""


def add_to(parsers: Any) -> None:
    """The sub-command and its options."""
    parser = parsers.add_parser(
        "evaluate",
        help="measure detectors and a policy on a labelled data set",
        epilog=_EPILOG,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", metavar="FILE", type=Path, required=True, help="the data set")
    parser.add_argument("--text", metavar="COLUMN", required=True, help="column of the text")
    labels = parser.add_mutually_exclusive_group()
    labels.add_argument("--label", metavar="COLUMN", help="column of the label")
    labels.add_argument("--multi-label", metavar="A,B,C", help="label columns, measured one by one and as a mean")
    parser.add_argument("--positive", metavar="VALUE", nargs="+", default=[], help="label values that mean yes")
    parser.add_argument("--weight", metavar="COLUMN", help="column of a weight per row")
    parser.add_argument(
        "--category", metavar="NAME", help="only findings of this category [the label's, if it has one]"
    )
    parser.add_argument("--direction", choices=[way.value for way in Direction], default="output", help="[output]")
    parser.add_argument(
        "--action",
        choices=[action.value for action in Action if action is not Action.ALLOW],
        default="block",
        help="what the policy must do at least to count as flagging [block]",
    )
    add_policy_options(parser)
    parser.add_argument("--stream", metavar="N", type=int, help="also feed N characters at a time to the output guard")
    parser.add_argument("--resamples", metavar="N", type=int, default=1000, help="bootstrap resamples [1000]")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Evaluate and print. Raises a PlaygroundError when the data or an option cannot be used."""
    from playground.commands.evaluation_report import as_json, as_table  # noqa: PLC0415  `--help` must stay quick
    from playground.moderation.evaluation import Evaluator  # noqa: PLC0415
    from playground.moderation.moderator import make_detector  # noqa: PLC0415

    gate = open_gate(options)
    task = _task(options)
    detectors = {name: make_detector(name, gate.registry[name]) for name in gate.policy.detectors[task.direction]}
    bar = _ProgressBar(task)
    try:
        evaluation = Evaluator(gate.policy, detectors, task).run(bar.show)
    finally:
        bar.clear()
    _refuse_nothing(options, evaluation)
    single = options.detectors is not None and len(evaluation.detectors) == 1
    shown = as_json(evaluation, single=single) if options.json else None
    sys.stdout.write(json.dumps(shown, indent=2, ensure_ascii=False) + "\n" if shown else as_table(evaluation))
    return 1 if evaluation.whole.failed else 0


def _task(options: argparse.Namespace) -> Any:
    from playground.moderation.evaluation import Task  # noqa: PLC0415
    from playground.moderation.labels import category_named  # noqa: PLC0415

    labels = [name.strip() for name in (options.multi_label or "").split(",") if name.strip()]
    if options.stream is not None and options.stream < 1:
        raise InvalidRequest(f"--stream is {options.stream}; it must be at least 1 character.")
    if not 0 <= options.resamples <= 100_000:
        raise InvalidRequest(f"--resamples is {options.resamples}; it must be from 0 to 100000.")
    if options.stream and options.direction == "input":
        raise InvalidRequest("--stream feeds the output guard: use it with --direction output.")
    return Task(
        data=options.data,
        text=options.text,
        labels=tuple(dict.fromkeys([options.label] if options.label else labels)),
        positive=tuple(options.positive),
        weight=options.weight,
        category=category_named(options.category) if options.category else None,
        direction=Direction(options.direction),
        action=Action(options.action),
        resamples=options.resamples,
        piece=options.stream or 0,
    )


def _refuse_nothing(options: argparse.Namespace, evaluation: Any) -> None:
    """No usable row is an error, with what was wrong with the first one."""
    if evaluation.rows:
        return
    values = ", ".join(evaluation.unread_labels)
    hint = f" Say which of these labels are positive: --positive …; there are: {values}." if values else ""
    first = f" (row {evaluation.broken[0].number}: {evaluation.broken[0].reason})" if evaluation.broken else ""
    raise InvalidRequest(f"{options.data} has no usable row{first}.{hint}")


class _ProgressBar:
    """How far it is, on a terminal only: counting the rows beforehand is quick."""

    def __init__(self, task: Any) -> None:
        from playground.moderation.records import read_rows  # noqa: PLC0415

        self._total = sum(1 for _ in read_rows(task.data, [task.text])) if sys.stderr.isatty() else 0
        self._began = time.monotonic()

    def show(self, rows: int) -> None:
        if not self._total:
            return
        share = min(rows / self._total, 1.0)
        left = (time.monotonic() - self._began) * (1 - share) / share if share else 0.0
        bar = "█" * round(share * 30)
        sys.stderr.write(f"\r{bar:·<30} {share:4.0%}  {rows:,} of {self._total:,} rows, {left:.0f} s left \x1b[K")
        sys.stderr.flush()

    def clear(self) -> None:
        if self._total:
            sys.stderr.write("\r\x1b[K")
