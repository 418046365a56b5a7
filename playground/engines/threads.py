"""How many threads to compute with."""

from __future__ import annotations

import os

_MAX_THREADS = 8


def default_threads() -> int:
    """As many threads as this process may use cores, up to eight: decoding is bound by memory beyond that."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _MAX_THREADS)
