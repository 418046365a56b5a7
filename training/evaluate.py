"""Pip's exam: ``python -m training.evaluate --model FOLDER`` asks questions that were written for it only.

It prints the share of right answers by topic, language and form, at temperature 0 and at the usual setting, each with
Wilson's 95 % interval, and which bars are met. Missed bars change no exit status.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from training.chat.candidate import SETTINGS
from training.chat.card import renew_card
from training.chat.evaluate import evaluate, model_folders
from training.chat.exam import Mark
from training.chat.tally import Results, render_tables, tally, verdicts
from training.console import progress, say


def as_table(marks: Sequence[Mark]) -> list[dict[str, object]]:
    """The shares as plain data."""
    return [{**asdict(row), "share": row.share, "interval": row.interval} for row in tally(marks)]


def as_json(results: Results) -> str:
    """Everything that was measured, as one JSON text."""
    forms = {
        form: {
            "first_token_seconds": sitting.speed.first_token,
            "tokens_per_second": sitting.speed.tokens_per_second,
            "settings": {setting: as_table(marks) for setting, marks in sitting.marks.items()},
        }
        for form, sitting in results.items()
    }
    return json.dumps({"forms": forms, "bars": verdicts(results)}, ensure_ascii=False, indent=2)


def wrong_answers(results: Results) -> list[str]:
    """A line for each question that went wrong or was answered with a garbled word."""
    return [
        f"{form}, {setting}, {mark.question.topic}: {' / '.join(mark.question.turns)} -> {mark.answers[-1]!r}"
        + (f" garbled: {', '.join(mark.garbled)}" if mark.garbled else "")
        for form, sitting in results.items()
        for setting in SETTINGS
        for mark in sitting.marks[setting]
        if mark.garbled or not mark.right
    ]


def speeds(results: Results) -> list[str]:
    """A line for each form: how fast it answers on this machine, for information."""
    return [
        f"{form}: first token after {1000 * sitting.speed.first_token:.0f} ms, "
        f"{sitting.speed.tokens_per_second:,.0f} tokens/s"
        for form, sitting in results.items()
    ]


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="an exported model, or a folder of its forms")
    parser.add_argument("--forms", nargs="+", help="only these forms, for example int8")
    parser.add_argument("--clinc", type=Path, help="CLINC150's data_full.json: adds its test split")
    parser.add_argument("--limit", type=int, help="at most that many questions of each set and language")
    parser.add_argument("--threads", type=int, default=0, help="threads to compute with (0: the engine chooses)")
    parser.add_argument("--missed", action="store_true", help="also show the questions that went wrong")
    parser.add_argument("--card", action="store_true", help="write the figures into the model card in the folder")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def chosen_folders(parser: argparse.ArgumentParser, folder: Path, forms: list[str] | None) -> dict[str, Path]:
    """The wanted forms in the order in which they lose precision; ends the command where there are none."""
    there = model_folders(folder)
    missing = set(forms or ()) - there.keys()
    if missing or not there:
        parser.error(f"{folder} has {', '.join(there) or 'no model'}; it lacks {', '.join(sorted(missing)) or 'all'}")
    wanted = sorted(forms or there, key=lambda form: (-there[form].joinpath("model.onnx").stat().st_size, form))
    return {form: there[form] for form in wanted}


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    results: Results = {}
    for form, path in chosen_folders(parser, options.model, options.forms).items():
        results[form] = evaluate(path, options.clinc, options.limit, progress, options.threads)
    progress("")
    if options.card:
        renew_card(options.model, results)
    if options.json:
        say(as_json(results))
        return
    lines = [*(wrong_answers(results) if options.missed else ()), render_tables(results), ""]
    for line in (*lines, *speeds(results), "", *verdicts(results)):
        say(line)


if __name__ == "__main__":
    main()
