"""The ONNX engine against other engines on the same weights, each in a process of its own, taking turns in one run.

Every round gives each contestant the same tasks, so that a busy neighbour slows them all; figures are medians over
rounds, ratios are medians of each round's ratio. Bars are on tokens per second of processor time with one thread, which
depends least on who else uses the machine; what each contestant does by the clock with its best number of threads is
told beside. Peers are measured through their lowest interface, ours as conversations use it. One that is missing is
named.

`LLAMA_PYTHON` names a python with llama-cpp-python and gguf (`make test-extended` makes `.venv/llama`); optimum-onnx
gets a throw-away environment in the cache, since it needs a transformers that must not be the app's.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from benchmarks.rows import Row
from benchmarks.runners.answering import Figures, Task
from benchmarks.runners.contestants import CONTESTANTS, Contestant
from benchmarks.runners.environments import PeerMissing

ROUNDS = 7
ROUNDS_WITH_THREADS = 3
STREAMS = 8
DECODE, EIGHT = "decode", f"{STREAMS} streams"
PREFILLS = ("prefill of 256", "prefill of 1024")
TASKS: Mapping[str, Task] = {
    DECODE: Task(prompt=32, steps=48),
    EIGHT: Task(prompt=32, steps=64, streams=STREAMS),
    PREFILLS[0]: Task(prompt=256),
    PREFILLS[1]: Task(prompt=1024),
}


@dataclass(frozen=True)
class Pair:
    """What is compared: one of ours, a peer, and the least ratio for each task (None: for information)."""

    ours: str
    peer: str
    bars: Mapping[str, float | None]


PAIRS = (
    Pair("ours int4", "llama.cpp Q4_0", {DECODE: 1.2, EIGHT: 1.1, PREFILLS[0]: 1.0, PREFILLS[1]: 1.0}),
    Pair("ours int8", "llama.cpp Q8_0", {DECODE: 1.2, EIGHT: 1.1, PREFILLS[0]: 1.0, PREFILLS[1]: 1.0}),
    Pair("ours int4", "genai int4", {DECODE: 1.0, EIGHT: 1.0, PREFILLS[0]: 1.0}),
    Pair("ours int8", "genai int8", {DECODE: 1.0, EIGHT: 1.0, PREFILLS[0]: 1.0}),
    Pair("ours int4", "optimum fp32", {DECODE: 1.2, EIGHT: 1.1, PREFILLS[0]: None}),
    Pair("ours int8", "optimum int8", {DECODE: 1.2, EIGHT: 1.1, PREFILLS[0]: None}),
    Pair("ours int4", "transformers fp32", {DECODE: 3.0, EIGHT: None, PREFILLS[0]: None}),
    Pair("ours int8", "transformers fp32", {DECODE: 3.0, EIGHT: None, PREFILLS[0]: None}),
)


@dataclass
class Race:
    """Some rounds with one number of threads. `rounds` has, for every task and contestant, one figure per round."""

    threads: int
    rounds: dict[str, dict[str, list[Figures]]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def run(self, rounds: int) -> None:
        """Start everybody, run a round to warm up and then those that count, in turning order."""
        self.rounds = {task: {} for task in TASKS}
        running: dict[str, Contestant] = {}
        try:
            for name in CONTESTANTS:
                self._start(name, running)
            for turn in range(rounds + 1):
                names = list(running) if turn % 2 else list(reversed(running))
                for task in TASKS:
                    for name in names:
                        self._turn(running, name, task, turn)
        finally:
            for contestant in running.values():
                contestant.end()

    def speeds(self, name: str, task: str, kind: str) -> list[float]:
        """Tokens per second of `kind` (clock, cpu) in every round; nothing when it was not measured."""
        if name in self.missing:
            return []
        return [figures.tokens / getattr(figures, kind) for figures in self.rounds[task].get(name, ())]

    def _start(self, name: str, running: dict[str, Contestant]) -> None:
        try:
            running[name] = Contestant.start(name, self.threads)
        except PeerMissing as reason:
            self.missing[name] = str(reason)
        else:
            self.versions[name] = running[name].version

    def _turn(self, running: dict[str, Contestant], name: str, task: str, turn: int) -> None:
        if name in self.missing or not _wanted(name, task):
            return
        try:
            figures = running[name].run(replace(TASKS[task], turn=turn))
        except PeerMissing as reason:
            self.missing[name] = str(reason)
            return
        if turn:
            self.rounds[task].setdefault(name, []).append(figures)


def measure() -> Iterator[Row]:
    """One thread with bars, then every contestant at its best number of threads."""
    race = Race(threads=1)
    race.run(ROUNDS)
    for name in CONTESTANTS:
        told = f"not measured: {race.missing[name]}" if name in race.missing else race.versions[name]
        print(f"  {name}: {told}", flush=True)
    yield from _figure_rows(race)
    yield from _ratio_rows(race)
    races = [race]
    for threads in _thread_counts():
        races.append(Race(threads))
        races[-1].run(ROUNDS_WITH_THREADS)
    yield from _best_rows(races)


def _thread_counts() -> list[int]:
    """Two, four and so on, up to the processors that may be used."""
    cores = len(os.sched_getaffinity(0))
    return [2**power for power in range(1, cores.bit_length()) if 2**power <= cores]


def _wanted(name: str, task: str) -> bool:
    return any(name in (pair.ours, pair.peer) and task in pair.bars for pair in PAIRS)


def _figure_rows(race: Race) -> Iterator[Row]:
    for task in TASKS:
        for name in CONTESTANTS:
            speeds = race.speeds(name, task, "cpu")
            if speeds:
                clock = statistics.median(race.speeds(name, task, "clock"))
                spread = f"{min(speeds):.0f} to {max(speeds):.0f}, {clock:.0f} by the clock"
                yield Row(f"{task}: {name}", statistics.median(speeds), "tokens/CPU s", detail=spread)


def _ratio_rows(race: Race) -> Iterator[Row]:
    for pair in PAIRS:
        for task, bar in pair.bars.items():
            ours, theirs = (race.speeds(name, task, "cpu") for name in (pair.ours, pair.peer))
            if ours and theirs:
                ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
                detail = f"{min(ratios):.2f} to {max(ratios):.2f}"
                yield Row(f"{task}: {pair.ours} / {pair.peer}", statistics.median(ratios), "x", bar, detail=detail)


def _best_rows(races: list[Race]) -> Iterator[Row]:
    for pair in PAIRS:
        for task in pair.bars:
            (ours, our_threads), (theirs, their_threads) = (
                max((statistics.median(race.speeds(name, task, "clock") or [0.0]), race.threads) for race in races)
                for name in (pair.ours, pair.peer)
            )
            if ours and theirs:
                detail = f"{ours:.0f} with {our_threads}, {theirs:.0f} with {their_threads}"
                yield Row(f"{task}, best threads, clock: {pair.ours} / {pair.peer}", ours / theirs, "x", detail=detail)
