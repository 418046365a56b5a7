"""Make Pip: ``python -m training.chat --out DIR`` trains, exports and evaluates the model."""

import argparse
import os
from pathlib import Path

from training.chat.pipeline import LESSON, SMOKE, STANDARD, Sources, make
from training.console import say


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(prog="python -m training.chat", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints, weights and exported models")
    parser.add_argument("--minutes", type=float, help="minutes of training (55, a lesson 11)")
    parser.add_argument("--clinc", type=Path, help="CLINC150's data_full.json: human questions as extra input")
    parser.add_argument("--prose", type=Path, nargs="+", default=[], help="folders of Markdown to read first")
    parser.add_argument(
        "--from", dest="earlier", type=Path, help="begin from these weights: a run's folder or an exported one"
    )
    parser.add_argument("--rate", type=float, help="highest learning rate (0.003)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in the folder")
    parser.add_argument(
        "--lesson", action="store_true", help="a smaller model that is trained for 11 minutes, to learn from"
    )
    parser.add_argument("--smoke", action="store_true", help="a tiny model in a few seconds, to try the whole way")
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    options = build_parser().parse_args(arguments)
    recipe = SMOKE if options.smoke else LESSON if options.lesson else STANDARD
    sources = Sources(options.clinc, tuple(options.prose), options.earlier)
    recipe = recipe.changed(options.seed, options.minutes, options.threads, options.rate)
    make(recipe, options.out, sources, options.resume, say)


if __name__ == "__main__":
    main()
