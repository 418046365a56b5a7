"""What it costs to count and to measure, as a share of the shortest answer there is: the echo's, a sentence long.

How often each figure is taken for such an answer is read from the figures themselves; what one of them takes is
measured on its own, because the difference of two runs of a whole answer is smaller than their noise.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.rows import Row
from playground.chat.answering import Answered
from playground.chat.completions import CompletionRequest
from playground.config import Settings
from playground.domain import Direction, Message, Timings, Usage
from playground.metrics import Metrics
from playground.services import Services, build

ANSWERS = 200
TIMES = 20_000
BAR = 0.01
SENTENCE = "The river is long, and the mountain behind it is high. "


def measure() -> Iterator[Row]:
    """Microseconds of processor time, and their share of an answer's."""
    with tempfile.TemporaryDirectory() as folder:
        services = build(Settings(data_dir=Path(folder), default_model="echo"))
        try:
            _answer(services, ANSWERS // 10)
            before, began = _looks(services), time.process_time()
            _answer(services, ANSWERS)
            answer = (time.process_time() - began) / ANSWERS
            looks = (_looks(services) - before) / ANSWERS
        finally:
            services.close()
    metrics = Metrics()
    ended = Answered("echo", "stop", Usage(10, 20), Timings(0.1, 0.1, 1.0), 0.1, 0.2)
    counting = _cost(lambda: metrics.answered(ended))
    looking = _cost(lambda: metrics.screened(Direction.OUTPUT, 0.001))
    taking = _cost(metrics.began) + _cost(lambda: metrics.ended("api.chat", "POST", 200, 0.1))
    whole = counting + looks * looking + taking
    detail = f"{1e6 * whole:.0f} of {1e6 * answer:.0f} µs, {looks:.0f} looks of the gate"
    yield Row("figures of an answer / the shortest answer", whole / answer, "of its CPU", BAR, False, detail)
    began = time.process_time()
    for _ in range(20):
        metrics.told()
    yield Row("telling all figures", 1000 * (time.process_time() - began) / 20, "ms")


def _answer(services: Services, count: int) -> None:
    for _ in range(count):
        (run,) = services.chat.complete(CompletionRequest("bench", "echo", (Message("user", SENTENCE),)))
        run.wait(30)


def _looks(services: Services) -> float:
    """How often the gate looked at something until now."""
    told = services.metrics.told()[0].decode()
    return sum(float(count) for count in re.findall(r"playground_gate_seconds_count\{.*?\} (\S+)", told))


def _cost(work: Callable[[], None]) -> float:
    """Seconds of processor time of one call."""
    began = time.process_time()
    for _ in range(TIMES):
        work()
    return (time.process_time() - began) / TIMES
