"""The web application through ASGI: who is who, what is closed, what every answer carries, and a real round trip."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from playground.config import Settings
from playground.services import Services, build
from playground.ui.app import create_app
from playground.ui.owner import COOKIE

ABUSE = "kill yourself you worthless piece of shit"


@pytest.fixture(scope="module")
def app_services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    built = build(Settings(data_dir=tmp_path_factory.mktemp("data"), default_model="echo"))
    yield built
    built.close()


@pytest.fixture(scope="module")
def started(app_services: Services) -> Iterator[TestClient]:
    with TestClient(create_app(app_services)) as client:
        yield client


@pytest.fixture
def client(started: TestClient) -> TestClient:
    """The one application of this file, as a browser that has never been here sees it."""
    started.cookies.clear()
    return started


class Tab:
    """A browser tab, as far as the server can tell: it posts events and reads the queue's stream."""

    def __init__(self, client: TestClient, language: str = "en", query: str = "") -> None:
        self.client = client
        self.base = f"/{language}"
        self.session = f"tab{id(self)}"
        self.config = client.get(f"{self.base}/config").json()
        self.raw = ""
        self.query = query
        self.values: dict[str, Any] = {}
        self.run(self._function("load"))

    def _function(self, event: str, element: str = "") -> dict[str, Any]:
        ids = {part["props"].get("elem_id"): part["id"] for part in self.config["components"]}
        target = ids.get(element)
        for function in self.config["dependencies"]:
            hits = any(on[1] == event and (not element or on[0] == target) for on in function["targets"])
            if hits and function["backend_fn"]:
                return dict(function)
        raise AssertionError(f"nothing listens to {event} of {element}")

    def event(self, element: str, event: str, **data: object) -> None:
        self.run(self._function(event, element), data)

    def run(self, function: dict[str, Any], data: object = None) -> None:
        body = {
            "data": [None] * len(function["inputs"]),
            "event_data": data,
            "fn_index": function["id"],
            "session_hash": self.session,
            "trigger_id": None,
        }
        if function["queue"]:
            self._queued(body, function)
            return
        answer = self.client.post(f"{self.base}/gradio_api/run/predict{self.query}", json=body)
        assert answer.status_code == 200, answer.text
        self.raw += answer.text
        self._keep(function, answer.json()["data"])

    def _queued(self, body: dict[str, Any], function: dict[str, Any]) -> None:
        assert self.client.post(f"{self.base}/gradio_api/queue/join", json=body).status_code == 200
        address = f"{self.base}/gradio_api/queue/data?session_hash={self.session}"
        with self.client.stream("GET", address) as stream:
            for line in stream.iter_lines():
                self.raw += line
                message = json.loads(line[6:]) if line.startswith("data: ") else {}
                if message.get("msg") == "process_completed":
                    assert message["success"], message
                    self._keep(function, message["output"].get("data", []))
                    return

    def _keep(self, function: dict[str, Any], data: list[Any]) -> None:
        names = {part["id"]: part["props"].get("elem_id") for part in self.config["components"]}
        for output, value in zip(function["outputs"], data, strict=False):
            if names.get(output) and not (isinstance(value, dict) and value.get("__type__") == "update"):
                self.values[names[output]] = value

    def ask(self, text: str) -> None:
        self.event("composer", "send", text=text, ticket="t", edit="")
        if self.values["thread"]["busy"]:
            self.event("thread", "follow", id="")
            self.event("thread", "refresh", id="")

    @property
    def texts(self) -> list[str]:
        return [message["content"][0]["text"] for message in self.values["chat"]]


def test_a_message_goes_through_the_real_queue_and_comes_back(client: TestClient) -> None:
    tab = Tab(client)
    tab.ask("Hello there")
    assert tab.texts == ["Hello there", "Hello there"]
    assert tab.values["composer"]["outcome"] == "taken"
    assert tab.values["conversations"]["items"][0]["title"] == "Hello there"
    assert tab.values["conversations"]["active"] == tab.values["thread"]["conversation"]


def test_a_blocked_message_never_comes_back_over_the_wire(client: TestClient) -> None:
    tab = Tab(client)
    tab.ask(ABUSE)
    assert tab.values["composer"]["outcome"] == "refused"
    assert tab.values["notice"]["notice"]["kind"] == "blocked"
    assert "worthless" not in tab.raw


def test_the_page_opens_the_conversation_of_its_address(client: TestClient) -> None:
    tab = Tab(client)
    tab.ask("Remember me")
    conversation = tab.values["thread"]["conversation"]
    again = Tab(client, "vi", query=f"?c={conversation}")
    assert again.texts == ["Remember me", "Remember me"]
    nowhere = Tab(client, query="?c=ffffffffffffffffffffffffffffffff")
    assert nowhere.texts == []
    assert nowhere.values["notice"]["notice"]["kind"] == "error"


def test_two_browsers_do_not_see_each_other(client: TestClient, app_services: Services) -> None:
    mine = Tab(client)
    mine.ask("My secret plan")
    conversation = mine.values["thread"]["conversation"]
    client.cookies.clear()
    theirs = Tab(client, query=f"?c={conversation}")
    assert theirs.values["conversations"]["items"] == []
    assert theirs.texts == []
    for event in ("choose", "remove", "restore"):
        theirs.event("conversations", event, id=conversation)
    theirs.event("conversations", "rename", id=conversation, title="Mine now")
    assert "My secret plan" not in theirs.raw
    # Even with the session of somebody else's tab: what that tab shows belongs to its owner.
    theirs.session = mine.session
    theirs.event("thread", "refresh", id="")
    assert "My secret plan" not in theirs.raw
    assert app_services.chat.conversations(theirs.client.cookies[COOKIE]) == []


def test_the_owner_is_a_cookie_that_scripts_cannot_read(client: TestClient) -> None:
    first = client.get("/en/")
    cookie = first.headers["set-cookie"]
    assert re.match(rf"{COOKIE}=[0-9a-f]{{32}}; Path=/; Max-Age=\d+; HttpOnly; SameSite=Lax$", cookie)
    assert "set-cookie" not in client.get("/en/").headers
    assert "set-cookie" not in client.get("/static/page.css").headers
    client.cookies.clear()
    forged = client.get("/en/", headers={"cookie": f"a=b; {COOKIE}=../../etc"})
    assert COOKIE in forged.headers["set-cookie"]
    secure = TestClient(client.app, base_url="https://testserver").get("/en/")
    assert secure.headers["set-cookie"].endswith("; Secure")


@pytest.mark.parametrize(
    ("headers", "where"),
    [
        ({}, "/en/"),
        ({"accept-language": "vi"}, "/vi/"),
        ({"accept-language": "fr-FR, vi-VN;q=0.5, en;q=0.4"}, "/vi/"),
        ({"accept-language": "vi;q=0.1, en-GB;q=0.9"}, "/en/"),
        ({"accept-language": "vi;q=x, ,;;"}, "/en/"),
        ({"accept-language": "vi", "cookie": "playground_language=en"}, "/en/"),
        ({"cookie": "playground_language=xx"}, "/en/"),
    ],
)
def test_the_first_page_is_in_the_persons_language(client: TestClient, headers: dict[str, str], where: str) -> None:
    answer = client.get("/?c=1&d=2", headers=headers, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, f"{where}?c=1&d=2")


@pytest.mark.parametrize("language", ["en", "vi"])
def test_the_page_has_a_head_of_its_own(client: TestClient, language: str) -> None:
    page = client.get(f"/{language}/").text
    assert f'lang="{language}"' in page[:200]
    assert page.count("<title>") == 1
    assert "og:title" in page
    assert not re.search(r"(?:src|href|content)=.https?://(?!testserver)", page)
    css, js = re.findall(r"/static/page\.(?:css|js)\?v=\w+", page)
    for path in (css, js, "/static/fonts/inter-vietnamese-wght-normal.woff2"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    assert client.get("/static/favicon.svg").headers["content-type"] == "image/svg+xml"


@pytest.mark.parametrize("path", ["/", "/en/", "/static/page.css", "/en/gradio_api/upload", "/nowhere"])
def test_every_answer_keeps_the_browser_on_this_server(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert not re.search(r"https?:|\*", policy)
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/upload"),
        ("GET", "/file=/etc/passwd"),
        ("GET", "/file=http://127.0.0.1/"),
        ("GET", "/proxy=http://127.0.0.1/"),
        ("GET", "/info"),
        ("GET", "/openapi.json"),
        ("POST", "/call/send"),
        ("POST", "/api/send"),
        ("POST", "/run/send"),
        ("POST", "/vibe-edit"),
        ("GET", "/run-history/records"),
        ("POST", "/component_server"),
        ("GET", "/deep_link"),
        ("GET", "/../monitoring"),
    ],
)
def test_what_the_page_does_not_need_is_closed(client: TestClient, method: str, path: str) -> None:
    for language in ("en", "vi"):
        assert client.request(method, f"/{language}/gradio_api{path}").status_code == 404
