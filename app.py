"""Serve the playground. `python app.py --help` lists every setting."""

from __future__ import annotations

import sys

from playground.config import load_settings
from playground.errors import PlaygroundError
from playground.log import end_with
from playground.server import bind, keep_log, serve


def main() -> int:
    """Serve until stopped; returns the exit status, after one clear sentence if something is wrong."""
    try:
        settings = load_settings()
        keep_log(settings)
        serve(settings, bind(settings))
    except PlaygroundError as error:
        end_with(str(error))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
