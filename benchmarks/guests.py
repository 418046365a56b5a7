"""People beside the API's clients, for benchmarks: sessions of Gradio's own client, and real browsers."""

from __future__ import annotations

import itertools
import os
import shutil
import threading
from typing import Protocol

import httpx
from playwright.sync_api import Error as BrowserError
from playwright.sync_api import Page, sync_playwright

from benchmarks.page_client import PageClient, PageError

_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
_WAIT_SECONDS = 120.0
_NUMBERS = itertools.count()


class Counting(Protocol):
    """Who counts answers and errors."""

    def note(self, *, mixed: bool) -> None:
        """An answer; `mixed`: it was not in the person's own conversation."""
        ...

    def fail(self, what: str, error: object) -> None:
        """Something that must not happen."""
        ...


def call(address: str, number: int, tally: Counting, stop: threading.Event) -> None:
    """A session of Gradio's client at the named endpoints: the echo has to say each session's own words.

    Where there are none, a session that speaks the page's protocol (see `visit`).
    """
    if httpx.get(f"{address}/gradio_api/info", timeout=_WAIT_SECONDS).status_code != 200:
        visit(address, number, tally, stop)
        return
    from gradio_client import Client  # noqa: PLC0415  it takes a second to import
    from gradio_client.exceptions import AppError  # noqa: PLC0415

    patient = {"timeout": _WAIT_SECONDS}  # five seconds by itself, too few where 80 others are served
    try:
        client = Client(f"{address}/", verbose=False, analytics_enabled=False, httpx_kwargs=patient)
    except httpx.HTTPError as error:
        tally.fail("session of Gradio's client", error)
        return
    while not stop.is_set():
        question = _question(number)
        try:
            answer = client.submit(question, model="echo", api_name="/chat").result(_WAIT_SECONDS)
            tally.note(mixed=answer["text"] != question)
        except (AppError, TimeoutError, httpx.HTTPError, KeyError) as error:
            tally.fail("session of Gradio's client", error)


def visit(address: str, number: int, tally: Counting, stop: threading.Event) -> None:
    """A session of the page: asks, follows the answer to its end, and looks whether its questions are its own."""
    asked: list[str] = []
    try:
        with PageClient(address, "vi" if number % 2 else "en") as visitor:
            while not stop.is_set():
                asked.append(_question(number))
                visitor.ask(asked[-1])
                while visitor.value("thread")["busy"]:
                    for _ in visitor.answers():
                        pass
                shown = _asked(visitor)
                tally.note(mixed=shown != asked[-len(shown) :] or not visitor.answer())
    except (PageError, httpx.HTTPError, KeyError, ValueError) as error:
        tally.fail("session", error)


def _question(number: int) -> str:
    return f"What is a token? ({number}.{next(_NUMBERS)})"


def _asked(visitor: PageClient) -> list[str]:
    """The questions on display."""
    rows = [row for row in visitor.value("chat") if row["role"] == "user"]
    return ["".join(part["text"] for part in row["content"]) for row in rows]


def browse(address: str, number: int, tally: Counting, stop: threading.Event) -> None:
    """A real browser: types a question, waits for the answer, and looks whose question stands above it."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=_FLAGS)
            page = browser.new_page()
            page.set_default_timeout(_WAIT_SECONDS * 1000)
            page.on("pageerror", lambda error: tally.fail("browser, script", error))
            page.on("response", lambda answer: tally.fail("browser", answer.status) if answer.status >= 400 else None)
            page.goto(f"{address}/en/", wait_until="domcontentloaded")
            page.wait_for_selector("#composer-text")
            page.wait_for_function("document.querySelector('.hero-title')")
            while not stop.is_set():
                tally.note(mixed=not _answered(page, _question(number)))
            browser.close()
    except BrowserError as error:
        tally.fail("browser", error)


def _answered(page: Page, question: str) -> bool:
    """Ask; whether the last question on the page is this one, with an answer below it.

    The page shows the last questions only, so their number says nothing.
    """
    page.fill("#composer-text", question)
    page.press("#composer-text", "Enter")
    last = "[...document.querySelectorAll('#chat .user-row .message-content')].at(-1)?.innerText.trim()"
    page.wait_for_function(f"asked => {last} === asked", arg=question)
    page.wait_for_function(
        "!playground.busy && [...document.querySelectorAll('#chat .bot-row')].at(-1)?.querySelector(':scope > .extras')"
    )
    asked = page.query_selector_all("#chat .user-row .message-content")
    answers = page.query_selector_all("#chat .bot-row .message-content")
    return asked[-1].inner_text().strip() == question and bool(answers[-1].inner_text().strip())
