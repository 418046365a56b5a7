"""Many people at once: 32 conversations on the embedded model for two minutes, while the page stays usable."""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx

from benchmarks.page_client import PageClient, PageError
from benchmarks.rows import Row
from benchmarks.served import Served, serve

PEOPLE = 32
SECONDS = float(os.environ.get("BENCH_LOAD_SECONDS", "120"))
MEMORY_GROWTH = 1.05
QUESTIONS = (
    ("What is the capital of {}?", ("Norway", "Peru", "Japan", "Kenya", "Italy", "France", "Canada", "Egypt")),
    ("Thủ đô của {} là gì?", ("Na Uy", "Peru", "Nhật Bản", "Kenya", "Ý", "Pháp", "Canada", "Ai Cập")),
)


@dataclass
class Tally:
    """What the visitors saw, together; `mixed` are answers that were not in the visitor's own conversation."""

    answers: int = 0
    mixed: int = 0
    errors: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, *, mixed: bool) -> None:
        """Count an answer."""
        with self.lock:
            self.answers += 1
            self.mixed += mixed

    def fail(self, error: Exception) -> None:
        """Note an error."""
        with self.lock:
            self.errors.append(repr(error)[:300])


def measure() -> Iterator[Row]:
    """32 people ask questions one after the other; memory is compared between half-time and the end."""
    with serve("--max-message-chars", "2000") as app:
        tally, stop = Tally(), threading.Event()
        people = [threading.Thread(target=_visit, args=(app, number, tally, stop)) for number in range(PEOPLE)]
        for person in people:
            person.start()
        waits, memory = _watch(app, tally)
        stop.set()
        for person in people:
            person.join(60)
    yield Row("answers", tally.answers, "", 1)
    yield Row("errors", len(tally.errors), "", 0, at_least=False, detail="; ".join(tally.errors[:3]))
    yield Row("answers in somebody else's conversation", tally.mixed, "", 0, at_least=False)
    yield Row("memory at the end / at half-time", memory[1] / memory[0], "ratio", MEMORY_GROWTH, at_least=False)
    yield Row("page load, median", statistics.median(waits), "s")
    yield Row("page load, slowest", max(waits), "s", 5.0, at_least=False)


def _visit(app: Served, number: int, tally: Tally, stop: threading.Event) -> None:
    asked: list[str] = []
    try:
        with PageClient(app.address, "vi" if number % 2 else "en") as visitor:
            while not stop.is_set():
                form, places = QUESTIONS[number % 2]
                question = f"{form.format(places[len(asked) % len(places)])} ({number}.{len(asked)})"
                asked.append(question)
                visitor.ask(question)
                for _ in visitor.answers():
                    pass
                tally.add(mixed=not visitor.answer() or not _own(visitor, asked))
    except (PageError, httpx.HTTPError, KeyError, ValueError) as error:
        tally.fail(error)


def _own(visitor: PageClient, asked: list[str]) -> bool:
    """Whether the questions on display are exactly this visitor's newest ones."""
    shown = ["".join(part["text"] for part in row["content"]) for row in visitor.value("chat") if row["role"] == "user"]
    return shown == asked[-len(shown) :]


def _watch(app: Served, tally: Tally) -> tuple[list[float], tuple[int, int]]:
    """Load the page once a second like a newcomer; returns the waits, and memory at half-time and at the end."""
    began, half, waits = time.monotonic(), 0, []
    while time.monotonic() - began < SECONDS:
        if not half and time.monotonic() - began > SECONDS / 2:
            half = app.memory_bytes()
        asked = time.monotonic()
        try:
            httpx.get(f"{app.address}/en/", timeout=30).raise_for_status()
        except httpx.HTTPError as error:
            tally.fail(error)
        waits.append(time.monotonic() - asked)
        time.sleep(1)
    return waits, (half, app.memory_bytes())
