"""An exported model's forms once more: ``python -m training.chat.forms --from DIR --out DIR`` makes them anew.

The weights are read out of its 32-bit graph, so that another way of rounding can be tried without training again.
"""

import argparse
import shutil
from pathlib import Path

from training.chat.choosing import CHOSEN_FILE
from training.chat.earlier import earlier_weights
from training.chat.export import PRECISIONS, TOKENIZER_FILE, export
from training.chat.model import LeanLlama
from training.chat.pipeline import LESSON, STANDARD
from training.chat.train import write_weights
from training.console import say


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m training.chat.forms", description=__doc__)
    parser.add_argument(
        "--from", dest="earlier", type=Path, required=True, help="a run's folder, or the folder fp32 of an exported one"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the forms")
    parser.add_argument("--forms", nargs="+", choices=PRECISIONS, default=PRECISIONS, help="only these")
    parser.add_argument("--lesson", action="store_true", help="the model is one of --lesson")
    options = parser.parse_args(arguments)

    product = (LESSON if options.lesson else STANDARD).product
    model = LeanLlama(product.shape)
    try:
        model.load_state_dict(earlier_weights(options.earlier, product.shape))
    except (FileNotFoundError, ValueError) as error:
        parser.error(str(error))
    except RuntimeError:
        parser.error(
            f"{options.earlier} has other sizes: a model of --lesson needs --lesson, any other must not have it"
        )
    options.out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(options.earlier / TOKENIZER_FILE, options.out / TOKENIZER_FILE)
    write_weights(model, options.out / CHOSEN_FILE)
    say(f"written to {export(options.out, product, options.forms, say)}")


if __name__ == "__main__":
    main()
