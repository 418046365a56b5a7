"""Who may enter the workbench, from where, with what, and how often one may try."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.requests import HTTPConnection

from playground.config import Settings
from playground.services import Services, build
from playground.ui.app import create_app
from playground.ui.workbench.access import (
    ATTEMPT_SECONDS,
    ATTEMPTS,
    ATTEMPTS_OF_ALL,
    COOKIE,
    SESSION_SECONDS,
    Doorkeeper,
    TooManyAttempts,
    is_loopback,
)

TOKEN = "sesame, open"
CLOSED = (
    ("GET", "/workbench/en/"),
    ("GET", "/workbench/vi"),
    ("GET", "/workbench/cases.jsonl"),
    ("GET", "/workbench/en/config"),
    ("GET", "/workbench/en/gradio_api/queue/data"),
    ("POST", "/workbench/en/gradio_api/run/predict"),
    ("POST", "/workbench/vi/gradio_api/queue/join"),
    ("POST", "/workbench/logout"),
    ("GET", "/workbench"),
    ("GET", "/workbench/nowhere"),
)
Visit = Callable[..., TestClient]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], FastAPI]]:
    """The application by address and token; each is made once, since that takes a while."""
    built: list[Services] = []

    @cache
    def serve(host: str, token: str) -> FastAPI:
        folder = tmp_path_factory.mktemp("served")
        settings = Settings(data_dir=folder, default_model="echo", host=host, operator_token=token)
        built.append(build(settings))
        return create_app(built[-1])

    yield serve
    for services in built:
        services.close()


@pytest.fixture
def visit(served: Callable[[str, str], FastAPI]) -> Visit:
    """A client at `address` who calls the server, listening on `host`, by `name`."""

    def come(
        address: str = "127.0.0.1", name: str = "127.0.0.1:7860", host: str = "127.0.0.1", token: str = ""
    ) -> TestClient:
        app = served(host, token)
        return TestClient(app, base_url=f"http://{name}", client=(address, 5000), follow_redirects=False)

    return come


def enters(client: TestClient, **headers: str) -> bool:
    answer = client.get("/workbench/en/", headers=headers)
    assert answer.status_code in {200, 303}
    return answer.status_code == 200


def test_the_person_at_this_machine_enters_without_a_token(visit: Visit) -> None:
    client = visit()
    assert enters(client)
    assert client.get("/workbench").headers["location"] == "/workbench/en/"
    assert client.get("/workbench", headers={"accept-language": "vi"}).headers["location"] == "/workbench/vi/"
    page = client.get("/workbench/vi/").text
    assert 'lang="vi"' in page[:200]
    assert "workbench.js" in page
    assert client.get("/workbench/cases.jsonl").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-for": "127.0.0.1"},
        {"x-real-ip": "127.0.0.1"},
        {"forwarded": "for=127.0.0.1"},
        {"via": "1.1 proxy"},
        {"x-forwarded-host": "127.0.0.1"},
        {"host": "playground.example"},
        {"host": "playground.example:7860"},
        {"host": "127.0.0.1.example"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
    ],
)
def test_a_trace_of_anybody_in_between_closes_it(visit: Visit, headers: dict[str, str]) -> None:
    assert not enters(visit(), **headers)


@pytest.mark.parametrize(
    ("address", "host"), [("10.0.0.7", "127.0.0.1"), ("127.0.0.1", "0.0.0.0"), ("10.0.0.7", "0.0.0.0")]
)
def test_it_is_closed_to_visitors_and_says_how_to_open_it(visit: Visit, address: str, host: str) -> None:
    client = visit(address, host=host)
    for method, path in CLOSED:
        answer = client.request(method, path)
        assert answer.status_code in {303, 401}, path
        assert answer.headers.get("location", "/workbench/login") == "/workbench/login"
        assert "decision" not in answer.text
    told = client.get("/workbench/login")
    assert told.status_code == 403
    assert "PLAYGROUND_OPERATOR_TOKEN" in told.text
    assert client.post("/workbench/login", data={"token": ""}).status_code == 403
    assert COOKIE not in client.cookies
    assert client.get("/en/").status_code == 200


def test_with_a_token_everybody_needs_it(visit: Visit) -> None:
    client = visit(token=TOKEN)
    assert not enters(client)
    for method, path in CLOSED:
        assert client.request(method, path).status_code in {303, 401}, path


def test_the_right_token_opens_a_session_that_scripts_cannot_read(visit: Visit) -> None:
    client = visit("10.0.0.7", token=TOKEN)
    wrong = client.post("/workbench/login", data={"token": "guess"})
    assert wrong.status_code == 403
    assert "not the token" in wrong.text
    assert "guess" not in wrong.text
    right = client.post("/workbench/login", data={"token": TOKEN})
    assert (right.status_code, right.headers["location"]) == (303, "/workbench/en/")
    cookie = right.headers["set-cookie"].lower()
    assert all(part in cookie for part in ("httponly", "samesite=strict", "path=/;", "max-age="))
    assert TOKEN not in cookie
    assert enters(client)
    assert client.post("/workbench/logout").headers["location"] == "/workbench/login"
    client.cookies.set(COOKIE, cookie.split("=")[1].split(";")[0], path="/")
    assert not enters(client)


def test_a_session_over_https_stays_there(visit: Visit) -> None:
    client = visit("127.0.0.2", token=TOKEN)
    client.base_url = client.base_url.copy_with(scheme="https")
    assert "secure" in client.post("/workbench/login", data={"token": TOKEN}).headers["set-cookie"].lower()


def test_a_forged_cookie_is_no_session(visit: Visit) -> None:
    client = visit(token=TOKEN)
    for forged in (TOKEN, "x" * 43, ""):
        assert not enters(client, cookie=f"{COOKIE}={forged}")


def test_a_form_without_end_is_not_read(visit: Visit) -> None:
    client = visit("127.0.0.3", token=TOKEN)
    answer = client.post("/workbench/login", content=b"token=" + b"x" * 100_000)
    assert answer.status_code == 403


def test_every_page_of_the_operator_is_kept_to_this_server_and_out_of_caches(visit: Visit) -> None:
    client = visit(token=TOKEN)
    for path in ("/workbench/login", "/workbench/en/"):
        headers = client.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"


def test_what_the_workbench_does_not_need_of_gradio_is_closed(visit: Visit) -> None:
    client = visit()
    for path in ("/upload", "/info", "/file=/etc/passwd", "/call/show", "/monitoring"):
        assert client.get(f"/workbench/en/gradio_api{path}").status_code == 404


def test_attempts_are_limited_by_address_and_altogether() -> None:
    now = [0.0]
    keeper = Doorkeeper(TOKEN, "0.0.0.0", lambda: now[0])
    for _ in range(ATTEMPTS):
        assert keeper.open("wrong", "1.1.1.1") is None
    with pytest.raises(TooManyAttempts):
        keeper.open(TOKEN, "1.1.1.1")
    assert keeper.open(TOKEN, "2.2.2.2")
    now[0] += ATTEMPT_SECONDS + 1
    assert keeper.open(TOKEN, "1.1.1.1")
    for number in range(ATTEMPTS_OF_ALL):
        assert keeper.open("wrong", f"3.3.{number // ATTEMPTS}.{number % ATTEMPTS}") is None
    with pytest.raises(TooManyAttempts):
        keeper.open(TOKEN, "4.4.4.4")


def test_too_many_attempts_are_told_over_http(visit: Visit) -> None:
    client = visit("127.0.0.4", token=TOKEN)
    for _ in range(ATTEMPTS):
        client.post("/workbench/login", data={"token": "guess"})
    assert client.post("/workbench/login", data={"token": TOKEN}).status_code == 429


def test_a_session_ends_by_itself() -> None:
    now = [0.0]
    keeper = Doorkeeper(TOKEN, "0.0.0.0", lambda: now[0])
    session = keeper.open(TOKEN, "1.1.1.1")
    scope = {"type": "http", "headers": [(b"cookie", f"{COOKIE}={session}".encode())], "client": ("1.1.1.1", 1)}
    assert keeper.admits(HTTPConnection(scope))
    now[0] += SESSION_SECONDS + 1
    assert not keeper.admits(HTTPConnection(scope))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True), ("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("[::1]", True),
        ("0.0.0.0", False), ("10.0.0.1", False), ("example.org", False), ("", False), ("localhost.example", False),
    ],
)  # fmt: skip
def test_what_names_this_machine(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def shows_the_way(client: TestClient, **headers: str) -> bool:
    """Whether the chat page has a link to the workbench for this visitor."""
    config = client.get("/en/config", headers=headers).json()
    (foot,) = [part["id"] for part in config["components"] if part["props"].get("elem_id") == "sidefoot"]
    (load,) = [one for one in config["dependencies"] if foot in one["outputs"]]
    body = {"data": [], "event_data": None, "fn_index": load["id"], "session_hash": "visitor", "trigger_id": None}
    answer = client.post("/en/gradio_api/run/predict", json=body, headers=headers)
    assert answer.status_code == 200
    return bool(answer.json()["data"][0]["workbench"])


def test_only_the_person_at_this_machine_is_shown_the_way_from_the_chat(visit: Visit) -> None:
    assert shows_the_way(visit())
    assert not shows_the_way(visit(address="192.168.1.20", name="192.168.1.10:7860", host="0.0.0.0"))
    assert not shows_the_way(visit(), **{"x-forwarded-for": "203.0.113.9"})
    assert not shows_the_way(visit(token=TOKEN))
