"""A client that goes away, or says stop, stops its answer: seen in the engine's own count of tokens.

The embedded model is made slow (at most 50 tokens a second) and endless here. When nobody asks the engine for anything
any more, the count may have grown by a second's worth; and what the next answer adds is all of what comes after.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import openai
import pytest
from gradio_client import Client
from mcp.client.client import Client as McpClient

from playground.engines import engine_loop, onnx_engine
from playground.engines.local_engine import LocalEngine
from playground.engines.registry import ENGINES
from tests.api.conftest import Site, served, settings_in, until, user
from tests.e2e.visitor import Visitor

STEP_SECONDS = 0.02
SECOND = round(1 / STEP_SECONDS)
MOST = 450


@dataclass
class Counted:
    """The site, and the engines that were loaded for it."""

    site: Site
    engines: list[LocalEngine] = field(default_factory=list)

    @property
    def written(self) -> int:
        return sum(engine.written for engine in self.engines)

    @contextmanager
    def going_on(self, more: int = 10) -> Iterator[None]:
        """Begin an answer in the body; it is going on when the body has ended."""
        before = self.written
        yield
        until(lambda: self.written >= before + more)

    def stops_soon(self) -> None:
        """What is going on now ends within a second's worth of tokens, and then nothing more is written."""
        at = self.written
        until(self.site.idle)
        ended = self.written
        assert ended - at <= SECOND + 10  # a burst may be under way
        assert self.site.chat("Hello!", "pip", max_tokens=3, temperature=0).status_code == 200
        settled = self.written
        assert settled - ended - 3 <= 2  # a step that was under way, of as many answers as there were
        assert self.site.chat("Hello!", "pip", max_tokens=3, temperature=0).status_code == 200
        assert self.written == settled + 3


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counted]:
    with pytest.MonkeyPatch.context() as patch:
        chooser, read = engine_loop._chooser, onnx_engine.read_model_files

        def slow_chooser(*arguments: Any) -> Callable[[], list[int]]:
            choose = chooser(*arguments)

            def choose_slowly() -> list[int]:
                time.sleep(STEP_SECONDS)
                return choose()

            return choose_slowly

        engines: list[LocalEngine] = []

        def create(*arguments: Any) -> LocalEngine:
            engines.append(onnx_engine.load_onnx_engine(*arguments))
            return engines[-1]

        patch.setattr(engine_loop, "_chooser", slow_chooser)
        patch.setattr(onnx_engine, "read_model_files", lambda *given: replace(read(*given), eos_ids=()))
        patch.setitem(ENGINES, "onnx", replace(ENGINES["onnx"], create=create, in_worker=False))  # type: ignore[misc]
        settings = settings_in(tmp_path_factory.mktemp("gone"), default_model="pip")
        with served(replace(settings, policy="off"), pages=True) as site:
            yield Counted(site, engines)


ASKED: Any = {"model": "pip", "messages": [user("What is a token?")], "max_tokens": MOST}


def test_a_stream_that_is_closed(counted: Counted) -> None:
    stream = counted.site.openai().chat.completions.create(**ASKED, stream=True, n=2)
    with counted.going_on():
        next(iter(stream))
    stream.close()
    counted.stops_soon()


def test_a_whole_answer_that_nobody_waits_for(counted: Counted) -> None:
    with counted.going_on(), pytest.raises(openai.APITimeoutError):
        counted.site.openai(timeout=1).chat.completions.create(**ASKED)
    counted.stops_soon()


def test_a_completion_whose_socket_is_closed(counted: Counted) -> None:
    body = {"model": "pip", "prompt": "What is a token?", "max_tokens": MOST}
    with counted.going_on(), pytest.raises(httpx.ReadTimeout), httpx.Client(timeout=httpx.Timeout(30, read=1)) as http:
        http.post(f"{counted.site.address}/v1/completions", json=body)
    counted.stops_soon()


def test_a_job_of_gradios_client_that_is_cancelled(counted: Counted) -> None:
    client = Client(counted.site.address, verbose=False, download_files=False)
    with counted.going_on():
        job = client.submit("What is a token?", max_tokens=MOST, api_name="/chat")
    job.cancel()
    counted.stops_soon()
    with counted.going_on():
        job = client.submit("What is a token?", models=["pip", "pip"], max_tokens=MOST, api_name="/compare")
    job.cancel()
    counted.stops_soon()
    client.close()


@pytest.mark.parametrize("simple", [True, False])
def test_an_endpoint_whose_socket_is_closed(counted: Counted, *, simple: bool) -> None:
    root, data = f"{counted.site.address}/gradio_api", ["What is a token?", "pip", None, None, None, MOST]
    with httpx.Client(timeout=30) as http:
        if simple:
            told = http.post(f"{root}/call/chat", json={"data": data}).raise_for_status().json()
            address = f"{root}/call/chat/{told['event_id']}"
        else:
            event = {"data": data, "fn_index": 0, "session_hash": "gone"}
            http.post(f"{root}/queue/join", json=event).raise_for_status()
            address = f"{root}/queue/data?session_hash=gone"
        with http.stream("GET", address) as answer:
            lines = answer.iter_lines()  # kept: the connection ends with it
            with counted.going_on():
                next(lines)
    counted.stops_soon()


def test_a_tool_call_whose_client_goes_away(counted: Counted) -> None:
    async def give_up() -> None:
        async with McpClient(f"{counted.site.address}/gradio_api/mcp/") as client:
            calling = asyncio.create_task(client.call_tool("chat", {"message": "Hi!", "max_tokens": MOST}))
            await asyncio.to_thread(started.wait, 30)
            calling.cancel()
            await asyncio.gather(calling, return_exceptions=True)

    started = threading.Event()
    with counted.going_on():
        leaving = threading.Thread(target=asyncio.run, args=(give_up(),))
        leaving.start()
    started.set()
    leaving.join(30)
    counted.stops_soon()


def test_the_stop_button_of_the_page(counted: Counted) -> None:
    with Visitor(counted.site.address) as person:
        with counted.going_on():
            person.ask("What is a token?")
        person.fire("composer", "stop")
        counted.stops_soon()


def test_a_tab_that_is_closed_leaves_its_answer_to_the_server(counted: Counted) -> None:
    with Visitor(counted.site.address) as person:
        with counted.going_on():
            person.ask("Xin chào!")
        here = person.conversation
        at = counted.written
        cookies = dict(person.http.cookies)
    until(counted.site.idle, 60)
    assert counted.written > at + SECOND
    with Visitor(counted.site.address, query=f"c={here}", cookies=cookies) as back:
        assert back.shown[-1]
