"""Where training commands write what they do."""

import sys

CLEAR_LINE = "\r\033[K"


def say(line: str) -> None:
    """Write one line of progress."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def progress(line: str) -> None:
    """Show how far something is, in one line that is written over; only where somebody watches."""
    if sys.stderr.isatty():
        sys.stderr.write(CLEAR_LINE + line)
        sys.stderr.flush()
