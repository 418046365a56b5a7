"""A visitor without a browser: speaks the page's own protocol over HTTP, and keeps every byte it received.

It does what Gradio's front end does with the page's configuration: sends the values of an event's inputs, follows the
event's stream of updates, applies them, and fires the events chained after it. JavaScript handlers are not run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import uuid4

import httpx
from gradio_client.utils import apply_diff

TIMEOUT = httpx.Timeout(30.0, read=120.0)


class PageError(Exception):
    """The page answered an event with an error; the text is what a person would see."""


@dataclass
class PageClient(AbstractContextManager["PageClient"]):
    """One tab of one person. `values` holds what each component shows, by component id.

    `root` is where the page's languages are ("" for the chat, "/workbench" for the operator's page). `query` is the
    address's part after `?`. `cookies` say who the person is; without any, the server makes a new one.
    """

    address: str
    language: str = "en"
    query: str = ""
    cookies: dict[str, str] = field(default_factory=dict)
    received: bytearray = field(default_factory=bytearray)
    session: str = field(default_factory=lambda: uuid4().hex)
    root: str = ""

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=self.address, timeout=TIMEOUT, follow_redirects=True, cookies=self.cookies)
        self.open()

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def open(self) -> Self:
        """Load (or reload) the page, as a new session of the same person, and run its load events."""
        self.session = uuid4().hex
        self.http.get(f"{self.root}/{self.language}/", params=self.query).raise_for_status()
        self.config: dict[str, Any] = self.http.get(f"{self.root}/{self.language}/config").raise_for_status().json()
        components = self.config["components"]
        self.values: dict[int, Any] = {part["id"]: part["props"].get("value") for part in components}
        self.ids = {part["props"].get("elem_id"): part["id"] for part in components if part["props"].get("elem_id")}
        for dependency in self.config["dependencies"]:
            if any(event == "load" for _, event in dependency["targets"]):
                for _ in self.follow(dependency, None, None):
                    pass
        return self

    def value(self, elem_id: str) -> Any:
        """What the component shows now."""
        return self.values[self.ids[elem_id]]

    def trigger(self, elem_id: str, event: str, value: Any = None, data: Any = None) -> Iterator[dict[int, Any]]:
        """Fire an event as the front end would; yields the changed values after every update, chained events included.

        `value` is put into the component first, unless None. Raises PageError with the page's own words, KeyError when
        nothing listens.
        """
        component = self.ids[elem_id]
        if value is not None:
            self.values[component] = value
        found = [part for part in self.config["dependencies"] if [component, event] in part["targets"]]
        if not found:
            raise KeyError(f"nothing listens to {event} of {elem_id}")
        for dependency in found:
            yield from self.follow(dependency, data, component)

    def fire(self, elem_id: str, event: str, value: Any = None, data: Any = None) -> None:
        """`trigger`, to its end."""
        for _ in self.trigger(elem_id, event, value, data):
            pass

    def ask(self, text: str, edit: str = "") -> None:
        """Send a message, as pressing Enter in the composer does; `edit` is the id of the message it replaces."""
        self.fire("composer", "send", data={"text": text, "ticket": uuid4().hex, "edit": edit})

    def answers(self) -> Iterator[str]:
        """Follow the answer being written; yields what is displayed of it after every update, once there is any."""
        for _ in self.trigger("thread", "follow"):
            text = self.answer()
            if text:
                yield text

    def answer(self) -> str:
        """The last message on display if it is the model's, else an empty text."""
        messages = self.value("chat") or []
        if not messages or messages[-1]["role"] != "assistant":
            return ""
        return "".join(part.get("text", "") for part in messages[-1]["content"])

    def follow(
        self, dependency: dict[str, Any], data: Any = None, component: int | None = None
    ) -> Iterator[dict[int, Any]]:
        """Run one listener of the page's configuration, and those chained after it; yields as `trigger` does."""
        error: PageError | None = None
        if dependency["backend_fn"]:
            try:
                yield from self._call(dependency, data, component)
            except PageError as caught:
                error = caught
        for later in self.config["dependencies"]:
            if later["trigger_after"] != dependency["id"]:
                continue
            if (later["trigger_only_on_success"] and error) or (later["trigger_only_on_failure"] and not error):
                continue
            yield from self.follow(later, data, component)
        if error:
            raise error

    def _call(self, dependency: dict[str, Any], data: Any, component: int | None) -> Iterator[dict[int, Any]]:
        body = {
            "data": [self.values[part] for part in dependency["inputs"]],
            "event_data": data,
            "fn_index": dependency["id"],
            "trigger_id": component,
            "session_hash": self.session,
        }
        prefix = f"{self.root}/{self.language}/gradio_api"
        if dependency["queue"] is False:
            answer = self._post(f"{prefix}/run/predict", body)
            self.received += answer.content
            if answer.status_code != 200:
                raise PageError(answer.text)
            yield self._apply(dependency, answer.json()["data"])
            return
        joined = self._post(f"{prefix}/queue/join", body)
        if joined.status_code != 200:
            raise PageError(joined.text)
        yield from self._stream(dependency, prefix, joined.json()["event_id"])

    def _post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        # As a browser writes it: half a character pair is escaped, where httpx would refuse it.
        headers = {"Content-Type": "application/json"}
        return self.http.post(path, params=self.query, content=json.dumps(body), headers=headers)

    def _stream(self, dependency: dict[str, Any], prefix: str, event_id: str) -> Iterator[dict[int, Any]]:
        current: list[Any] = []
        with self.http.stream("GET", f"{prefix}/queue/data", params={"session_hash": self.session}) as lines:
            for message in self._messages(lines):
                if message.get("event_id") not in (event_id, None):
                    continue
                kind = message["msg"]
                if kind == "process_generating":
                    current = self._updated(current, message["output"]["data"])
                    yield self._apply(dependency, current)
                elif kind == "process_completed":
                    if not message["success"]:
                        raise PageError(str(message["output"].get("error")))
                    yield self._apply(dependency, message["output"]["data"])
                    return
                elif kind == "unexpected_error":
                    raise PageError(str(message.get("message")))

    def _messages(self, lines: httpx.Response) -> Iterator[dict[str, Any]]:
        rest = b""
        for chunk in lines.iter_bytes():
            self.received += chunk
            *whole, rest = (rest + chunk).split(b"\n\n")
            for line in whole:
                if line.startswith(b"data:"):
                    yield json.loads(line[5:])

    @staticmethod
    def _updated(current: list[Any], data: list[Any]) -> list[Any]:
        if not current:
            return list(data)
        return [apply_diff(old, new) for old, new in zip(current, data, strict=True)]

    def _apply(self, dependency: dict[str, Any], data: list[Any]) -> dict[int, Any]:
        changed = {}
        for part, value in zip(dependency["outputs"], data, strict=False):
            if isinstance(value, dict) and value.get("__type__") == "update":
                if "value" not in value:
                    continue
                value = value["value"]  # noqa: PLW2901  an update names only what changed
            self.values[part] = changed[part] = value
        return changed
