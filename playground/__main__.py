"""`python -m playground …`: what an operator does without a browser. `--help` lists it."""

from __future__ import annotations

import sys

from playground.commands.program import main

if __name__ == "__main__":
    sys.exit(main())
