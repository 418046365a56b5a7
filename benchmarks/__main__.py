"""`make bench` runs every benchmark; `python -m benchmarks NAME…` runs some."""

from __future__ import annotations

import argparse
import importlib
import platform
import sys
import time

from benchmarks.rows import Row, shown

NAMES = (
    "start",
    "gate",
    "screening",
    "engine",
    "path",
    "load",
    "memory",
    "detoxify",
    "cycles",
    "schemas",
    "leaderboard",
    "coverage",
    "shared",
    "gpu",
    "peers",
    "observing",
    "soak",
    "chaos",
)


def main() -> int:
    """Run the chosen benchmarks one after the other; the exit status counts missed bars (at most 1)."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which ones: {', '.join(NAMES)} (all)")
    names = parser.parse_args().names or list(NAMES)
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        parser.error(f"no benchmark named {', '.join(unknown)}; there are: {', '.join(NAMES)}")
    print(f"{platform.platform()}, Python {platform.python_version()}")
    rows: list[Row] = []
    for name in names:
        began = time.monotonic()
        print(f"\n{name}", flush=True)
        for row in importlib.import_module(f"benchmarks.{name}").measure():
            rows.append(row)
            print("  " + shown(row), flush=True)
        print(f"  ({time.monotonic() - began:.0f} s)", flush=True)
    missed = [row for row in rows if row.met is False]
    print(f"\n{len(rows)} figures, {len(missed)} below their bar")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
