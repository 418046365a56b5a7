"""The model that ships with the playground, asked at the page; and its process ended while it answers."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psutil
import pytest

from benchmarks.served import Served, serve
from tests.e2e.visitor import Visitor
from tests.ui.browser import Browser

STORY = "Tell me a story about a fox."


@pytest.fixture(scope="module")
def app() -> Iterator[Served]:
    """The app as it is shipped."""
    with serve() as served:
        yield served
        assert "Traceback" not in served.log.read_text(encoding="utf-8")


@pytest.mark.browser
@pytest.mark.parametrize(("language", "question"), [("en", "What is a token?"), ("vi", "Token là gì?")])
def test_a_first_visitor_is_answered(browser: Browser, app: Served, language: str, question: str) -> None:
    with browser.tab(app) as tab:
        tab.open(f"/{language}/")
        tab.page.click(".suggestion >> nth=0")
        tab.page.wait_for_selector("#chat .bot-row .stats")
        assert tab.texts("user") == [question]
        assert "token" in tab.texts("bot")[0].lower()
        assert tab.page.locator(".notice").count() == 0


def worker_of(app: Served) -> psutil.Process:
    """The process that runs the model."""
    (worker,) = app.process.children(recursive=True)
    return worker


def stop_halfway(visitor: Visitor, worker: psutil.Process) -> str:
    """Ask, and let the worker run in short bursts until a part of its answer is on display; returns that part."""
    for burst in (0.004, 0.002, 0.001, 0.0, 0.0, 0.0):
        worker.suspend()
        visitor.ask(STORY)
        updates = visitor.trigger("thread", "follow")
        for _ in updates:
            if visitor.answer() and _still_busy(visitor, updates):
                return visitor.answer()
            worker.resume()
            time.sleep(burst)
            worker.suspend()
        worker.resume()
    raise AssertionError("every answer was complete before it could be stopped")


def _still_busy(visitor: Visitor, updates: Iterator[object]) -> bool:
    """Whether the answer goes on when everything has been displayed that the worker had written by now."""
    for _ in range(3):
        next(updates, None)
    return bool(visitor.value("thread")["busy"])


def test_a_worker_killed_while_it_answers(app: Served) -> None:
    with Visitor(app.address) as visitor:
        visitor.talk("Hello")
        worker = worker_of(app)
        part = stop_halfway(visitor, worker)
        worker.kill()
        shown = visitor.read_to_the_end()
        assert shown[-1].startswith(part)
        (notice,) = visitor.rows[-1]["notices"]
        assert notice["title"] == "This answer was interrupted."
        assert notice["retry"]
        whole = visitor.retry()[-1]
        assert visitor.rows[-1]["versions"]["of"] == 2
        assert visitor.rows[-1]["notices"] == []
        assert whole
        assert worker_of(app).pid != worker.pid
