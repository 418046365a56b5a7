"""A visitor without a browser who does what people do in a chat, and what can be seen of it from outside."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, cast

from benchmarks.page_client import PageClient

PATIENCE = 60.0


class Visitor(PageClient):
    """One tab of one person."""

    def tab(self, query: str = "") -> Self:
        """Another tab of the same person, at the same place or at `query`."""
        return cast(
            "Self", replace(self, query=query, cookies=dict(self.http.cookies), received=bytearray(), session="")
        )

    @property
    def conversation(self) -> str | None:
        """The id of the conversation on display."""
        return cast("str | None", self.value("thread")["conversation"])

    @property
    def rows(self) -> list[Any]:
        """What stands under each message."""
        return cast("list[Any]", self.value("thread")["rows"])

    @property
    def shown(self) -> list[str]:
        """The messages on display, oldest first."""
        return ["".join(part["text"] for part in message["content"]) for message in self.value("chat")]

    @property
    def notice(self) -> str:
        """The notice above the composer, as one text; empty when there is none."""
        notice = self.value("notice").get("notice")
        return " ".join((notice["title"], notice["text"], notice["next"])) if notice else ""

    @property
    def titles(self) -> list[str]:
        """The conversations in the side bar."""
        return [item["title"] for item in self.value("conversations")["items"]]

    def read_to_the_end(self) -> list[str]:
        """Follow the answer being written until it is complete; returns the messages on display then."""
        end = time.monotonic() + PATIENCE
        while self.value("thread")["busy"]:
            assert time.monotonic() < end, "the answer does not come to an end"
            for _ in self.answers():
                pass
        return self.shown

    def talk(self, text: str, edit: str = "") -> list[str]:
        """Ask, and read the answer to its end."""
        self.ask(text, edit)
        return self.read_to_the_end()

    def retry(self) -> list[str]:
        """Ask for another version of the last answer, and read it."""
        self.fire("thread", "retry", data={"id": self.rows[-1]["id"]})
        return self.read_to_the_end()

    def use(self, model: str) -> None:
        """Pick a model."""
        self.fire("picker", "choose", data={"id": model})

    def start_anew(self) -> None:
        """Press New chat."""
        self.fire("conversations", "create")

    def search(self, query: str) -> list[str]:
        """Titles of the conversations in which the words occur."""
        self.fire("conversations", "search", data={"query": query})
        return self.titles


def wait_until(happened: Callable[[], bool], what: str) -> None:
    """Wait for a condition, and fail when it does not come about."""
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, f"{what} did not happen"
        time.sleep(0.02)


def disk_bytes(folder: Path) -> bytes:
    """Everything in the data folder: the database, and what is not yet merged into it."""
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())
