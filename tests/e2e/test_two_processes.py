"""Two app processes on one PostgreSQL behind nginx, as docs/scaling.md sets them up."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from benchmarks.page_client import PageClient
from benchmarks.served import Served, serve
from playground.storage.database import Database
from playground.storage.keys import KeyStore
from tests.nginx import proxied
from tests.postgres import PostgresServer

pytestmark = pytest.mark.extended  # two starts of the whole app

LONG = " ".join(f"{number} foxes went on." for number in range(40))
TOKEN = "the operator's token"


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def pair(
    postgres: PostgresServer, slow_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Served, Served]]:
    """Two processes with one database and one data folder, started at the same time."""
    options = ("--default-model", "unhurried", "--models-file", str(slow_models), "--database-url", postgres.url())
    folder, environment = tmp_path_factory.mktemp("shared"), {"PLAYGROUND_OPERATOR_TOKEN": TOKEN}
    with postgres.database(), ExitStack() as stack, ThreadPoolExecutor(2) as threads:
        apps = [
            serve(*options, "--process-lease-seconds", "2", data_dir=folder, environment=environment) for _ in range(2)
        ]
        first, second = threads.map(lambda app: app.__enter__(), apps)
        for app in apps:
            stack.push(app)
        yield first, second


def choose(page: PageClient, conversation_id: str) -> None:
    page.fire("conversations", "choose", data={"id": conversation_id})


def conversation_of(page: PageClient) -> str:
    return str(page.value("thread")["conversation"])


def person(page: PageClient) -> dict[str, str]:
    return dict(page.http.cookies)


def test_a_reload_that_lands_on_the_other_process_follows_the_answer_and_stops_it(pair: tuple[Served, Served]) -> None:
    with PageClient(pair[0].address) as here, PageClient(pair[1].address, cookies=person(here)) as there:
        here.ask(LONG)
        choose(there, conversation_of(here))
        assert there.value("composer")["busy"]
        grown = there.answers()
        first = next(grown)
        second = next(text for text in grown if text != first)
        assert LONG.startswith(second)
        there.fire("composer", "stop")
        last = [*grown, second][-1]
        assert len(last) < len(LONG)
        there.fire("thread", "refresh")
        assert not there.value("composer")["busy"]
        here.fire("thread", "refresh")
        assert here.answer() == there.answer()
        there.ask("And then?")
        *_, text = there.answers()
        assert text == "And then?"


def test_an_answer_is_followed_to_its_end_from_the_other_process(pair: tuple[Served, Served]) -> None:
    asked = LONG[:200]
    with PageClient(pair[0].address) as here, PageClient(pair[1].address, cookies=person(here)) as there:
        here.ask(asked)
        choose(there, conversation_of(here))
        *_, text = there.answers()
        there.fire("thread", "refresh")
        assert (text, there.answer()) == (asked.strip(), asked.strip())


def test_who_signed_in_to_the_workbench_is_known_to_both(pair: tuple[Served, Served]) -> None:
    with httpx.Client(timeout=60) as operator:  # its cookie is for the host, whatever the port
        assert operator.post(f"{pair[0].address}/workbench/login", data={"token": TOKEN}).status_code == 303
        session = operator.cookies["playground_operator"]
        for served in pair:
            assert operator.get(f"{served.address}/workbench/en/").status_code == 200
        operator.post(f"{pair[1].address}/workbench/logout")
        operator.cookies.set("playground_operator", session, path="/workbench")
        assert operator.get(f"{pair[0].address}/workbench/en/").status_code == 303


def make_key(url: str) -> str:
    """Behind a proxy nobody counts as the person at this machine."""
    database = Database(url)
    _, secret = KeyStore(database).create("behind nginx")
    database.close()
    return secret


def test_behind_nginx_a_process_is_killed_and_everything_is_there(
    pair: tuple[Served, Served], postgres: PostgresServer
) -> None:
    """The last test: one of the processes is gone afterwards."""
    headers = {"Authorization": f"Bearer {make_key(postgres.url())}"}
    ports = [int(served.address.rpartition(":")[2]) for served in pair]
    with proxied(ports) as address, PageClient(address) as page:
        page.ask(LONG)
        answer = next(page.answers())
        assert LONG.startswith(answer)
        chosen, owner = conversation_of(page), person(page)
        body = {"model": "unhurried", "messages": [{"role": "user", "content": LONG[:120]}], "stream": True}
        with httpx.stream("POST", f"{address}/v1/chat/completions", json=body, headers=headers, timeout=60) as streamed:
            lines = [line.removeprefix("data: ") for line in streamed.iter_lines() if line.startswith("data: {")]
        pieces = [json.loads(line)["choices"][0]["delta"].get("content") or "" for line in lines]
        assert "".join(pieces) == LONG[:120].strip()
        assert len(pieces) > 3
        pair[1].process.kill()
        pair[1].process.wait(20)
        with PageClient(address, cookies=owner) as again:
            choose(again, chosen)
            until(lambda: _ended(again))
            assert answer in again.answer() or again.answer() in LONG
            again.ask("Still there?")
            *_, text = again.answers()
            assert text == "Still there?"


def _ended(page: PageClient) -> bool:
    page.fire("thread", "refresh")
    return not page.value("composer")["busy"]
