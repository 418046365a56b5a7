"""The end of the real process, and its log: what was being written is kept or marked, and nobody's words are told."""

from __future__ import annotations

import json
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from benchmarks.page_client import PageClient, PageError
from benchmarks.served import Served, serve
from tests.catalogue import write_models

MARK = "zqxjvkw"
SHORT = f"A {MARK} sentence of some length, and then some more of it. " * 3
LONG = f"A {MARK} sentence that goes on and on and on. " * 100


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """An echo that takes its time."""
    rows = {"unhurried": {"engine_options": {"piece_chars": 3, "delay_seconds": 0.04}}}
    return write_models(tmp_path / "models.toml", rows)


def stream(app: Served, text: str) -> str:
    """A streamed answer, as it came: whole, or as far as the server got."""
    body = {"model": "unhurried", "stream": True, "messages": [{"role": "user", "content": text}]}
    with httpx.stream("POST", f"{app.address}/v1/chat/completions", json=body, timeout=60) as answer:
        return "".join(answer.iter_text())


def said(streamed: str) -> str:
    """The text of a stream."""
    chunks = [json.loads(line[6:]) for line in streamed.split("\n\n") if line.startswith("data: {")]
    return "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks if "choices" in chunk)


def until(app: Served, running: int) -> None:
    """Wait until so many answers are being written."""
    limit = time.monotonic() + 30
    while f"playground_answers_running {running}.0" not in httpx.get(f"{app.address}/metrics").text:
        assert time.monotonic() < limit
        time.sleep(0.05)


def misuse(app: Served) -> None:
    """The words in every place where a client can put them, sound and broken."""
    http = httpx.Client(base_url=app.address, headers={"X-Request-ID": MARK, "User-Agent": MARK}, timeout=30)
    with http:
        http.get(f"/{MARK}", params={MARK: MARK})
        http.get(f"/en/?c={MARK}&q={MARK}")
        http.post("/v1/chat/completions", content=f'{{"model": "{MARK}')
        http.post("/v1/chat/completions", json={"model": MARK, "messages": [{"role": MARK, "content": MARK}]})
        http.post("/v1/moderations", json={"input": f"{MARK} you motherfucker"})
        http.post("/en/gradio_api/run/predict", json={"data": [MARK], "fn_index": 3, "session_hash": MARK})
        http.post("/en/gradio_api/queue/join", json={"data": MARK, "fn_index": MARK, "session_hash": "x"})
        http.request(MARK, "/v1/models")
    with PageClient(app.address) as visitor:
        for event, data in (("search", {"query": MARK}), ("rename", {"id": MARK, "title": MARK}), ("choose", MARK)):
            try:
                visitor.fire("conversations", event, data=data)
            except PageError:
                continue  # told to the visitor; here it matters what the log says


def stored(app: Served) -> list[tuple[str, str]]:
    """Text and finish reason of every answer in the database, of a process that has ended."""
    connection = sqlite3.connect(app.data_dir / "playground.db")
    try:
        rows = connection.execute("SELECT content, finish_reason FROM messages WHERE role = 'assistant'")
        return [(str(content), str(reason)) for content, reason in rows]
    finally:
        connection.close()


def end(app: Served, *streams: Future[str]) -> tuple[int, list[str]]:
    """Let it end; its exit status, and what the streams had."""
    app.process.terminate()
    texts = [one.result(60) for one in streams]
    return int(app.process.wait(60) or 0), texts


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


def test_answers_are_finished_while_others_are_told_to_come_back(models: Path, threads: ThreadPoolExecutor) -> None:
    more = ("--log-format", "json", "--log-level", "debug", "--shutdown-seconds", "30")
    with serve("--default-model", "unhurried", "--models-file", str(models), *more) as app:
        misuse(app)
        visitor = PageClient(app.address)
        visitor.ask(SHORT)
        streamed = threads.submit(stream, app, SHORT)
        until(app, running=2)
        app.process.terminate()
        limit = time.monotonic() + 10
        while (ready := httpx.get(f"{app.address}/readyz")).status_code == 200:
            assert time.monotonic() < limit
        assert ready.json()["parts"]["requests"].startswith("The server is ending")
        refused = httpx.post(f"{app.address}/v1/chat/completions", json={})
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "closing")
        assert "retry-after" in refused.headers
        assert said(streamed.result(60)) == SHORT.strip()
        visitor.http.close()
        assert app.process.wait(60) == 0
        assert stored(app) == [(SHORT.strip(), "stop")]
        lines = app.log.read_text(encoding="utf-8").splitlines()
        assert MARK not in "".join(lines)
        rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
        assert {"time", "level", "logger", "message"} <= set.intersection(*(set(row) for row in rows))
        assert rows[0]["settings"]["shutdown_seconds"] == "30"
        ended = [row for row in rows if row.get("outcome") == "stop"]
        assert len({row["request"] for row in ended}) == 2
        assert ended[0]["completion_tokens"] > 10


def test_answers_that_take_too_long_are_marked(models: Path, threads: ThreadPoolExecutor) -> None:
    more = ("--log-level", "debug", "--shutdown-seconds", "1")
    with serve("--default-model", "unhurried", "--models-file", str(models), *more) as app:
        misuse(app)
        with PageClient(app.address) as visitor:
            visitor.ask(LONG)
            streamed = threads.submit(stream, app, LONG)
            until(app, running=2)
            time.sleep(1)
        status, (text,) = end(app, streamed)
        assert status == 0
        assert '"code":"interrupted"' in text
        ((content, reason),) = stored(app)
        assert reason == "interrupted"
        assert LONG.startswith(content)
        log = app.log.read_text(encoding="utf-8")
        assert MARK not in log
        assert "2 answers are interrupted after 1 s" in log
        assert "settings: " in log
        assert "shutdown_seconds=1" in log


@pytest.mark.extended
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(models: Path, second: int) -> None:
    with serve("--default-model", "unhurried", "--models-file", str(models), "--shutdown-seconds", "600") as app:
        with PageClient(app.address) as visitor:
            visitor.ask(LONG)
            until(app, running=1)
            time.sleep(1)
        app.process.send_signal(signal.SIGINT)
        with pytest.raises(psutil.TimeoutExpired):
            app.process.wait(2)
        app.process.send_signal(second)
        assert app.process.wait(5) == 128 + second
        ((_, reason),) = stored(app)
        assert reason == "None"  # the next start marks it
        with serve("--default-model", "echo", data_dir=app.data_dir) as again:
            threading.Event().wait(0.5)
            again.process.terminate()
            again.process.wait(20)
        assert stored(app)[0][1] == "interrupted"
