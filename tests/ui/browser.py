"""A real Chromium in front of the real application, for tests.

`Browser` opens pages that remember what went wrong in them: console errors, failed requests, requests that leave this
machine.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser as Chromium
from playwright.sync_api import ConsoleMessage, Page, Response, sync_playwright

from benchmarks.served import Served

WAIT_SECONDS = 45.0
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 820}}
# What Gradio's client says when a page is left while a stream is open.
LEAVING = ("AbortError", "Connection errored out", "BodyStreamBuffer was aborted", "network error", "ERR_ABORTED")
# Gradio's client, rarely: a difference to a list of messages that was replaced meanwhile. What a test expects of the
# page is checked all the same.
OUTDATED = "Unexpected client exception TypeError: Cannot read properties of undefined (reading 'content')"


def chromium_path() -> str:
    """The browser: CHROMIUM, or what is installed. A missing one is an error, never a skip."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        raise AssertionError("No Chromium found. Install it (Debian: apt-get install chromium), or set CHROMIUM.")
    return found


@dataclass
class Tab:
    """A page of the playground, with the steps that tests repeat and a record of what went wrong."""

    page: Page
    url: str
    troubles: list[str] = field(default_factory=list)

    def open(self, path: str = "/en/") -> Tab:
        """Go there and wait until the page can be used."""
        self.page.goto(self.url + path, wait_until="domcontentloaded")
        return self.ready()

    def reload(self) -> Tab:
        """Load the page again."""
        self.page.reload(wait_until="domcontentloaded")
        return self.ready()

    def ready(self) -> Tab:
        """Wait until the first answer of the server is drawn."""
        self.page.wait_for_selector("#composer-text")
        self.page.wait_for_function("document.querySelector('.hero-title') || document.querySelector('#chat .md')")
        return self

    def write(self, text: str) -> None:
        """Type a message and press Enter."""
        self.page.fill("#composer-text", text)
        self.page.press("#composer-text", "Enter")

    def ask(self, text: str) -> None:
        """Send a message and wait for the end of its answer."""
        before = len(self.texts("bot"))
        self.write(text)
        self.page.wait_for_function("n => document.querySelectorAll('#chat .bot-row').length > n", arg=before)
        self.idle()

    def idle(self) -> None:
        """Wait until no answer is being written and everything is drawn under the messages."""
        last = "[...document.querySelectorAll('#chat .bot-row')].at(-1)"
        self.page.wait_for_function(f"!playground.busy && {last}?.querySelector(':scope > .extras')")

    def texts(self, role: str) -> list[str]:
        """The messages of one side ("user" or "bot"), as shown."""
        return [row.inner_text().strip() for row in self.page.query_selector_all(f"#chat .{role}-row .message-content")]

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@dataclass
class Browser:
    """One Chromium; every tab has cookies and storage of its own unless it is given a context's page."""

    chromium: Chromium

    @contextmanager
    def tab(self, app: Served, device: dict[str, Any] | None = None, **options: Any) -> Iterator[Tab]:
        """A fresh visitor. When the body ends nothing may have gone wrong in the page."""
        context = self.chromium.new_context(**(device or DESKTOP), **options)
        context.set_default_timeout(WAIT_SECONDS * 1000)
        tab = Tab(context.new_page(), app.address)
        self.watch(tab)
        try:
            yield tab
            assert not tab.troubles, tab.troubles
        finally:
            context.close()

    @staticmethod
    def watch(tab: Tab) -> None:
        """Record errors of scripts, of the console, of requests, and requests to anybody else."""

        def on_console(message: ConsoleMessage) -> None:
            if message.type == "error" and not any(word in message.text for word in (*LEAVING, OUTDATED)):
                tab.troubles.append(f"console: {message.text}")

        def on_response(response: Response) -> None:
            if response.status >= 400:
                tab.troubles.append(f"{response.status} {response.url}")

        def on_request(request: Any) -> None:
            if not request.url.startswith((tab.url, "data:", "blob:")):
                tab.troubles.append(f"foreign request: {request.url}")

        tab.page.on("console", on_console)
        tab.page.on("response", on_response)
        tab.page.on("request", on_request)
        tab.page.on("pageerror", lambda error: tab.troubles.append(f"script: {error}"))


@contextmanager
def launched() -> Iterator[Browser]:
    """Chromium, for as long as the body runs."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        try:
            yield Browser(chromium)
        finally:
            chromium.close()
