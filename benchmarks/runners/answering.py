"""What a runner hears and says: one JSON object a line. Standard library only, since runners live in environments of
their own.

A runner first tells its version; then it answers every task with the tokens and the seconds they took. Peers are
measured at their best: through the lowest interface that they offer, without what their servers add, and with nothing
but the work that was asked for between the two looks at the clock.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

_HIGHEST = 40_000


@dataclass(frozen=True)
class Task:
    """Read prompts of so many tokens (`steps` 0), or write `steps` tokens after each, for `streams` conversations.

    Every `turn` has prompts of its own, so that nothing of an earlier one can be used again.
    """

    prompt: int
    steps: int = 0
    streams: int = 1
    turn: int = 0

    def prompts(self) -> list[list[int]]:
        """Token ids, different from stream to stream and from turn to turn."""
        starts = [7919 * self.turn + 104_729 * stream for stream in range(self.streams)]
        places = [31 * (place + 1) * (place + 2) for place in range(self.prompt)]
        return [[3 + (start + place) % _HIGHEST for place in places] for start in starts]


@dataclass
class Figures:
    """How many tokens were read or written, and how long that took by the clock and in processor time, in seconds.

    `answer` holds the tokens of the first conversation, `logits` the first few values after a prompt that was read:
    from them one can see that the same model was measured.
    """

    tokens: int = 0
    clock: float = 0.0
    cpu: float = 0.0
    answer: list[int] = field(default_factory=list)
    logits: list[float] = field(default_factory=list)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Add the time that the block takes."""
        clock, cpu = time.perf_counter(), time.process_time()
        yield
        self.clock += time.perf_counter() - clock
        self.cpu += time.process_time() - cpu


class TokenClock:
    """A streamer for `generate` of `transformers`: notes the time of the first and of the last written token."""

    def __init__(self) -> None:
        self._calls = 0
        self.times: list[tuple[float, float]] = []

    def put(self, value: object) -> None:
        """The prompt comes first, then the tokens of each step."""
        del value
        self._calls += 1
        if self._calls > 1:
            self.times.append((time.perf_counter(), time.process_time()))

    def end(self) -> None:
        """Nothing is left to do."""

    def figures(self, streams: int) -> Figures:
        """What was written after the first step, which also reads the prompt."""
        (began, began_cpu), (ended, ended_cpu) = self.times[0], self.times[-1]
        return Figures(streams * (len(self.times) - 1), ended - began, ended_cpu - began_cpu)


def serve(load: Callable[[], tuple[str, Callable[[Task], Figures]]]) -> None:
    """Load (which gives the version and what runs a task) and answer until the other side hangs up.

    Libraries may print what they like: it goes to stderr.
    """
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as channel:
        os.dup2(2, 1)
        version, run = load()
        for answer in _answers(version, run):
            channel.write(json.dumps(answer) + "\n")
            channel.flush()


def _answers(version: str, run: Callable[[Task], Figures]) -> Iterator[dict[str, object]]:
    yield {"version": version}
    for line in sys.stdin:
        yield asdict(run(Task(**json.loads(line))))
