"""Cards that are lent for the length of one call, as on Hugging Face's ZeroGPU: what crosses over, and for how long.

The call runs in a process forked from the server's, so a `Job` and its pieces are plain data. `spaces/zerogpu/app.py`
makes the call; `leased_engine.py` is the server's side of it, `lent_card.py` the other one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from playground.catalog.machine import Gpu, Machine, Memory, read_memory
from playground.catalog.spec import ModelSpec
from playground.domain import Loading, SamplingParams
from playground.engines.choice import Setup
from playground.engines.contract import Delta, EngineOptions, Look, Prompt

LONGEST_SECONDS = 120
"""The longest a card is asked for at once; people have a few minutes a day, and long requests wait longer."""
_SHORTEST_SECONDS = 10
_START_SECONDS = 6.0
# Estimates for half a card of the RTX Pro 6000 kind, at two bytes a weight: reading all weights once for a token takes
# 0.9 TB/s, of which a plain loop gets about a third, and at most 30 tokens/s whatever the model; a prompt costs two
# operations for each weight and token, of which about 12 T/s are got; weights come from the disk at 2 GB/s.
_BYTES_PER_SECOND = 0.3e12
_MOST_TOKENS_PER_SECOND = 30.0
_OPERATIONS_PER_SECOND = 12e12
_LOADED_PER_SECOND = 2e9
_UNKNOWN_PARAMETERS = 4_000_000_000


@dataclass(frozen=True, slots=True)
class Reading:
    """What of an answer is to be looked at: see `TransparentEngine.look`."""

    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Job:
    """One answer to be written on a lent card, or to be looked into: then there is a `reading`."""

    spec: ModelSpec
    options: EngineOptions
    prompt: Prompt
    params: SamplingParams
    reading: Reading | None = None


@dataclass(frozen=True, slots=True)
class Looks:
    """What a reading found, place by place."""

    found: list[Look]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an answer was not written: the code and the sentence of one of `errors.py`."""

    code: str
    sentence: str


Piece = Delta | Loading | Looks | Failure
Call = Callable[[Job], Iterator[Piece]]
"""Asks for a card and writes the answer there. Closing what it returns gives the card back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A card that can be asked for. `engines` are those that compute on it, `memory_bytes` is what it has."""

    call: Call
    engines: frozenset[str] = frozenset({"torch"})
    name: str = "ZeroGPU"
    memory_bytes: int = 48 * 10**9

    @property
    def setup(self) -> Setup:
        """What may compute here: the card is there, although this process never sees it."""
        return Setup(cuda=True, cuda_engines=self.engines)

    def read_machine(self) -> Machine:
        """This machine with the card."""
        return Machine(read_memory(), Gpu(self.name, Memory(self.memory_bytes, self.memory_bytes)))


def seconds_for(job: Job) -> int:
    """How long to ask for the card: to start, to read the prompt and to write the longest answer, in seconds."""
    written = job.params.max_tokens if job.reading is None else 0
    wanted = _fixed_seconds(job) + written / _tokens_per_second(job)
    return round(min(max(wanted, _SHORTEST_SECONDS), LONGEST_SECONDS))


def affordable_tokens(job: Job) -> int:
    """The longest answer that fits into `LONGEST_SECONDS`, in tokens."""
    return max(1, int((LONGEST_SECONDS - _fixed_seconds(job)) * _tokens_per_second(job)))


def _tokens_per_second(job: Job) -> float:
    return min(_MOST_TOKENS_PER_SECOND, _BYTES_PER_SECOND / (2 * _parameters(job)))


def _fixed_seconds(job: Job) -> float:
    reading = len(job.prompt.token_ids) * 2 * _parameters(job) / _OPERATIONS_PER_SECOND
    return _START_SECONDS + 2 * _parameters(job) / _LOADED_PER_SECOND + reading


def _parameters(job: Job) -> int:
    return job.spec.parameters or _UNKNOWN_PARAMETERS
