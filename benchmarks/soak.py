"""A full house: `python -m benchmarks.soak --minutes 5`.

64 streams of the API (OpenAI's client) beside 16 sessions of Gradio's client and two real browsers. Every answer is
held against its own question: the echo says the question itself, and Pip, asked greedily, what it says to that question
when it is alone. Tokens per second are compared with the engine's own, asked by as many threads without a server; the
guests run on the same machine and take their share of it, so tokens per second of the app's own CPU time are, too.
"""

from __future__ import annotations

import itertools
import os
import re
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
from openai import OpenAI, OpenAIError

from benchmarks.guests import browse, call
from benchmarks.rows import Row
from benchmarks.served import Served, serve
from benchmarks.timed import run
from playground.config import Settings
from playground.domain import SamplingParams
from playground.engines.contract import Prompt, Turn
from playground.services import build

MINUTES = float(os.environ.get("BENCH_SOAK_MINUTES", "1"))
STREAMS, SESSIONS, BROWSERS = 64, 16, 2
ECHOES = 16  # of the streams
ALONE_SECONDS = 10.0
FLAT = 1.05
PATIENCE = 120.0
MODEL, ECHO = "pip", "echo"
PARAMS = SamplingParams(temperature=0.0, max_tokens=64)
PLACES = ("Norway", "Peru", "Japan", "Kenya", "Italy", "France", "Canada", "Egypt", "Spain", "Cuba", "Chile", "India")
QUESTIONS = (
    *(f"What is the capital of {place}?" for place in PLACES),
    *(f"What is {word}?" for word in ("a token", "a tokenizer", "attention", "a model", "temperature", "a prompt")),
)
_NUMBERS = itertools.count()


@dataclass
class Tally:
    """What everybody saw, together. Times in seconds; `mixed` are answers to somebody else's question."""

    answers: int = 0
    mixed: int = 0
    other: int = 0
    first: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, first: float, *, mixed: bool = False, other: bool = False) -> None:
        """An answer; `other`: worded differently from the one that was given alone."""
        with self.lock:
            self.answers += 1
            self.first.append(first)
            self.mixed += mixed
            self.other += other

    def note(self, *, mixed: bool) -> None:
        """An answer in a session or a browser."""
        with self.lock:
            self.answers += 1
            self.mixed += mixed

    def fail(self, what: str, error: object) -> None:
        """Something that must not happen."""
        with self.lock:
            self.errors.append(f"{what}: {error!r}"[:300])


def measure(minutes: float = MINUTES) -> Iterator[Row]:
    """Everybody at once for so long. The first quarter warms up: memory is compared from there to the end."""
    with tempfile.TemporaryDirectory() as folder:
        alone = _alone(Path(folder))
    limits = ("--api-requests-per-minute", "0", "--api-concurrent", "0")
    with serve(*limits, "--max-runs", str(STREAMS + SESSIONS + BROWSERS)) as app:
        known = {question: _ask_once(app, question) for question in QUESTIONS}
        tally, stop = Tally(), threading.Event()
        people = _crowd(app, known, tally, stop)
        for person in people:
            person.start()
        memory, together = _watch(app, 60 * minutes)
        stop.set()
        for person in people:
            person.join(PATIENCE)
            if person.is_alive():
                tally.fail("still waiting", person.name)
    yield from _account(tally, memory)
    for row, name in ((0, "tokens/s"), (1, "tokens per CPU second")):
        detail = f"{together[row]:.0f} of {alone[row]:.0f}"
        yield Row(f"{name} of all / the engine's alone", together[row] / alone[row], "ratio", detail=detail)


def _account(tally: Tally, memory: Sequence[int]) -> Iterator[Row]:
    yield Row("answers", tally.answers, "", 1)
    yield Row("errors", len(tally.errors), "", 0, at_least=False, detail="; ".join(tally.errors[:3]))
    yield Row("answers to somebody else's question", tally.mixed, "", 0, at_least=False)
    yield Row("Pip's answers worded otherwise than alone", tally.other, "", detail="a batch rounds differently")
    first = sorted(tally.first) or [0.0]
    yield Row("time to the first text of 64 streams, median", statistics.median(first), "s")
    yield Row("time to the first text of 64 streams, p95", first[int(0.95 * (len(first) - 1))], "s")
    detail = "after each quarter " + ", ".join(f"{size / 2**20:.0f}" for size in memory) + " MiB"
    yield Row(
        "memory at the end / after a quarter", memory[3] / memory[0], "ratio", FLAT, at_least=False, detail=detail
    )


def _alone(folder: Path) -> tuple[float, float]:
    """Tokens of Pip's engine per second, and per CPU second of its worker, asked by as many threads directly."""
    services = build(Settings(data_dir=folder))
    spec = services.catalog.get(MODEL)
    tokenizer = services.pool.tokenizer(spec)
    counted: list[int] = []
    end = [0.0]

    def keep_asking() -> None:
        for question in itertools.cycle(QUESTIONS):
            turns = (Turn("user", question),)
            ids = tuple(tokenizer.encode_chat(turns)) if tokenizer else ()
            with services.pool.acquire(spec) as engine:
                pieces = list(engine.generate(Prompt(turns, ids), PARAMS))
            counted.append(pieces[-1].usage.completion_tokens if pieces[-1].usage else 0)
            if time.monotonic() >= end[0]:
                return

    try:
        keep_asking()  # loads the model
        counted.clear()
        began, (worker,) = time.monotonic(), psutil.Process().children()
        computed = sum(worker.cpu_times()[:2])
        end[0] = began + ALONE_SECONDS
        threads = [threading.Thread(target=keep_asking) for _ in range(STREAMS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        seconds = time.monotonic() - began
        return sum(counted) / seconds, sum(counted) / (sum(worker.cpu_times()[:2]) - computed)
    finally:
        services.close()


def _crowd(app: Served, known: Mapping[str, str], tally: Tally, stop: threading.Event) -> list[threading.Thread]:
    roles: list[tuple[str, Callable[[int], None]]] = [
        *[("echo stream", lambda number: _stream_echo(app, number, tally, stop))] * ECHOES,
        *[("stream", lambda number: _stream(app, known, number, tally, stop))] * (STREAMS - ECHOES),
        *[("session", lambda number: call(app.address, number, tally, stop))] * SESSIONS,
        *[("browser", lambda number: browse(app.address, number, tally, stop))] * BROWSERS,
    ]
    return [
        threading.Thread(target=role, args=(number,), name=f"{name} {number}", daemon=True)
        for number, (name, role) in enumerate(roles)
    ]


def _client(app: Served) -> OpenAI:
    return OpenAI(base_url=f"{app.address}/v1", api_key="none", max_retries=0, timeout=PATIENCE)


def _ask_once(app: Served, question: str) -> str:
    with _client(app) as client:
        return _streamed(client, MODEL, question)[0]


def _streamed(client: OpenAI, model: str, question: str) -> tuple[str, float]:
    """The text, and the seconds until its first piece."""
    began, first, text = time.monotonic(), 0.0, []
    stream = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": question}],
        temperature=PARAMS.temperature,
        max_tokens=PARAMS.max_tokens,
        stream=True,
    )
    for chunk in stream:
        for choice in chunk.choices:
            if choice.delta.content:
                first = first or time.monotonic() - began
                text.append(choice.delta.content)
    return "".join(text), first


def _stream(app: Served, known: Mapping[str, str], number: int, tally: Tally, stop: threading.Event) -> None:
    with _client(app) as client:
        for question in itertools.islice(itertools.cycle(QUESTIONS), number, None):
            if stop.is_set():
                return
            try:
                text, first = _streamed(client, MODEL, question)
            except (OpenAIError, httpx.HTTPError) as error:
                tally.fail("stream", error)
                continue
            other = text != known[question]
            tally.add(first, other=other, mixed=other and _is_another(text, question, known))


def _is_another(text: str, question: str, known: Mapping[str, str]) -> bool:
    """Whether this is what is said to another question."""
    return any(text == said for asked, said in known.items() if asked != question and said != known[question])


def _stream_echo(app: Served, number: int, tally: Tally, stop: threading.Event) -> None:
    with _client(app) as client:
        while not stop.is_set():
            question = f"Stream {number} says that this is sentence {next(_NUMBERS)}, and nobody else's."
            try:
                text, first = _streamed(client, ECHO, question)
            except (OpenAIError, httpx.HTTPError) as error:
                tally.fail("echo stream", error)
                continue
            tally.add(first, mixed=text != question)


def _watch(app: Served, seconds: float) -> tuple[list[int], tuple[float, float]]:
    """Memory after each quarter; in the last three Pip's tokens per second, and per CPU second of the app."""
    end = time.monotonic() + seconds
    time.sleep(seconds / 4)
    memory, before, began, computed = [app.memory_bytes()], _written(app), time.monotonic(), app.cpu_seconds()
    for quarters in (2, 1, 0):
        time.sleep(max(0.0, end - quarters * seconds / 4 - time.monotonic()))
        memory.append(app.memory_bytes())
    written = _written(app) - before
    return memory, (written / (time.monotonic() - began), written / (app.cpu_seconds() - computed))


def _written(app: Served) -> float:
    """Tokens that Pip wrote until now, for everybody, of answers that have ended."""
    told = httpx.get(f"{app.address}/metrics", timeout=PATIENCE).text
    found = re.search(rf'playground_tokens_total{{kind="completion",model="{MODEL}"}} (\S+)', told)
    return float(found[1]) if found else 0.0


if __name__ == "__main__":
    sys.exit(run("soak", measure, MINUTES))
