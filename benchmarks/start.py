"""How much work a start is: CPU time until the page is served, and from there to the first word of a first answer."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.page_client import PageClient
from benchmarks.rows import Row
from benchmarks.served import serve

SERVED_SECONDS = 10.0
FIRST_WORD_SECONDS = 3.0


def measure() -> Iterator[Row]:
    """Start the app on the embedded model in an empty data folder, three times; the slowest counts."""
    served, answered = zip(*(_once() for _ in range(3)), strict=True)
    yield Row("CPU time from process start to a served page", max(served), "s", SERVED_SECONDS, at_least=False)
    yield Row("CPU time from there to the first word", max(answered), "s", FIRST_WORD_SECONDS, at_least=False)


def _once() -> tuple[float, float]:
    with serve() as app:
        served = app.cpu_seconds()
        with PageClient(app.address) as visitor:
            visitor.ask("What is a token?")
            next(visitor.answers())
            return served, app.cpu_seconds() - served
