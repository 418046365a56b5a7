"""Make Fable: ``python -m training.story --out DIR`` trains, exports and evaluates the storyteller."""

import argparse
import os
from pathlib import Path

from training.console import say
from training.story.pipeline import SMOKE, STANDARD, make


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m training.story", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints, weights and exported models")
    parser.add_argument("--minutes", type=float, help=f"minutes of training ({STANDARD.plan.minutes:.0f})")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in the folder")
    parser.add_argument("--smoke", action="store_true", help="a tiny model in a few seconds, to try the whole way")
    options = parser.parse_args(arguments)
    recipe = SMOKE if options.smoke else STANDARD
    make(recipe.changed(options.seed, options.minutes, options.threads), options.out, options.resume, say)


if __name__ == "__main__":
    main()
