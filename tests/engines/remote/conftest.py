"""Servers on loopback, and engines that ask them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from playground.catalog.servers import parse_servers
from playground.catalog.spec import ModelSpec
from playground.domain import SamplingParams, Usage
from playground.engines.contract import Delta, Engine, EngineOptions, Prompt, TokenLogprob, Turn
from playground.engines.registry import kind_of
from playground.errors import AnswerCut, PlaygroundError
from tests.engines.remote.scripted_server import ScriptedServer

PROMPT = Prompt((Turn("system", "Be kind."), Turn("user", "Hello")))


@dataclass
class Told:
    """An answer, put together."""

    text: str = ""
    reasoning: str = ""
    pieces: list[Delta] = field(default_factory=list)

    @property
    def last(self) -> Delta:
        return self.pieces[-1]

    @property
    def logprobs(self) -> list[TokenLogprob]:
        return [token for piece in self.pieces for token in piece.logprobs]

    @property
    def usage(self) -> Usage | None:
        return self.last.usage


def ask(engine: Engine, prompt: Prompt = PROMPT, **params: Any) -> Told:
    """Ask and collect."""
    told = Told()
    for delta in engine.generate(prompt, SamplingParams(**params)):
        told.text += delta.text
        told.reasoning += delta.reasoning
        told.pieces.append(delta)
    return told


def until(true: Callable[[], bool]) -> None:
    """Wait for something, for ten seconds at most."""
    pause = threading.Event()
    for _ in range(500):
        if true():
            return
        pause.wait(0.02)
    raise AssertionError("it did not become true in 10 seconds")


class Crowd:
    """Visitors who ask the same question again and again, all at once."""

    def __init__(self, engine: Engine, visitors: int, questions: int, **params: Any) -> None:
        self._engine = engine
        self._params = SamplingParams(**params)
        self._begun = threading.Semaphore(0)
        self._told: Counter[str] = Counter()
        self._threads = [threading.Thread(target=self._visit, args=(questions,)) for _ in range(visitors)]
        for thread in self._threads:
            thread.start()

    def wait_for_begun(self, count: int) -> None:
        """Until so many answers have begun."""
        for _ in range(count):
            assert self._begun.acquire(timeout=60)

    def outcomes(self) -> Counter[str]:
        """How often each text came, `cut` for answers that broke off, and error codes; waits for everybody."""
        for thread in self._threads:
            thread.join(90)
        return self._told

    def _visit(self, questions: int) -> None:
        for _ in range(questions):
            self._told[self._ask()] += 1

    def _ask(self) -> str:
        text = ""
        try:
            for delta in self._engine.generate(PROMPT, self._params):
                if delta.text and not text:
                    self._begun.release()
                text += delta.text
        except AnswerCut:
            return "cut" if text else "cut before it began"
        except PlaygroundError as error:
            return error.code
        return text


def remote_spec(servers: list[dict[str, Any]], **options: Any) -> ModelSpec:
    """A row with these servers."""
    return ModelSpec(
        id="far",
        name="Far",
        family="test",
        engine="remote",
        context_length=0,
        description={},
        licence="",
        languages=(),
        servers=parse_servers(servers),
        engine_options=options,
    )


@pytest.fixture
def serve() -> Iterator[Callable[..., ScriptedServer]]:
    """Start scripted servers; they are stopped at the end."""
    started: list[ScriptedServer] = []

    def start(*replies: Any, **more: Any) -> ScriptedServer:
        started.append(ScriptedServer(replies, **more))
        return started[-1]

    yield start
    for server in started:
        if server._listener is not None:
            server.stop()


@pytest.fixture
def connect() -> Iterator[Callable[..., Engine]]:
    """Make engines for servers (scripted ones, or tables of a row); they are closed at the end."""
    made: list[Engine] = []

    def make(*servers: ScriptedServer | dict[str, Any], **options: Any) -> Engine:
        tables = [server if isinstance(server, dict) else {"url": server.url} for server in servers]
        spec = remote_spec(tables, **options)
        made.append(kind_of(spec).create(spec, EngineOptions(), lambda _: None))
        return made[-1]

    yield make
    for engine in made:
        engine.close()
