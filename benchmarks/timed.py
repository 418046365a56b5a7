"""Benchmarks that run for as long as they are asked to: `python -m benchmarks.NAME --minutes N`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

from benchmarks.rows import Row, shown


def run(name: str, measure: Callable[[float], Iterator[Row]], minutes: float) -> int:
    """Read `--minutes` (or take `minutes`), print what is measured; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}")
    parser.add_argument("--minutes", type=float, default=minutes, help=f"how long [{minutes:g}]")
    rows = list(measure(parser.parse_args().minutes))
    for row in rows:
        print(shown(row))
    return 1 if any(row.met is False for row in rows) else 0
