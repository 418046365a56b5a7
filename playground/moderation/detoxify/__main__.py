"""`python -m playground.moderation.detoxify NAME [--folder FOLDER]` installs a Detoxify model."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from playground.errors import DetectorUnavailable
from playground.moderation.detoxify.detector import DetoxifyDetector
from playground.moderation.detoxify.download import download_variant
from playground.moderation.detoxify.variants import VARIANTS, find_variant


def main() -> int:
    """Fetch the named model, showing progress, and make its fast form, so that the first message need not wait for it.

    The exit status is 1 when the model could not be installed.
    """
    parser = argparse.ArgumentParser(prog="python -m playground.moderation.detoxify", description=__doc__)
    parser.add_argument("variant", help=f"which model: {', '.join(VARIANTS)}")
    parser.add_argument("--folder", type=Path, help="where to (data/detoxify/NAME)")
    options = parser.parse_args()
    try:
        variant = find_variant(options.variant)
        folder = options.folder or Path("data/detoxify") / variant.name
        download_variant(variant, folder, progress=_show)
        sys.stderr.write("\nmaking the fast form ...")
        (finding, *_) = DetoxifyDetector(variant, folder).scan("ready")
    except DetectorUnavailable as error:
        sys.stderr.write(f"\n{error}\n")
        return 1
    sys.stderr.write(f"\ninstalled: {finding.version}\n")
    return 0


def _show(name: str, done: int, total: int | None) -> None:
    share = f"{100 * done / total:5.1f} %" if total else f"{done >> 20} MiB"
    sys.stderr.write(f"\r{name}: {share}   ")


if __name__ == "__main__":
    sys.exit(main())
