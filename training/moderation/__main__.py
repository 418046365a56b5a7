"""Make the embedded toxicity classifier: ``python -m training.moderation --data DIR --out DIR``."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.console import say
from training.moderation.pipeline import ROUNDS, make


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(prog="python -m training.moderation", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets the model card lists")
    parser.add_argument("--out", type=Path, required=True, help="folder for model.npz and figures.json")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="most rounds of the optimiser")
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Run the command. It draws no random numbers: the same data give the same model."""
    options = build_parser().parse_args(arguments)
    make(options.data, options.out, options.rounds, say)


if __name__ == "__main__":
    main()
