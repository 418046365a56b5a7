"""Attacks on the running server, over a raw socket where a client of ours would not send such a thing."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from benchmarks.served import Served, serve
from tests.catalogue import write_models
from tests.e2e.visitor import Visitor

EVIL = "https://evil.example"
PAGES = [f"{root}/{language}/" for root in ("", "/arena", "/workbench") for language in ("en", "vi")]
SECRETS = {
    "PLAYGROUND_OPERATOR_TOKEN": "op3rator-t0ken-quite-secret",
    "PLAYGROUND_MODERATION_KEY": "m0deration-key-quite-secret",
    "FAR_KEY": "far-server-key-quite-secret",
    "HF_TOKEN": "hf_hub_token_quite_secret",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """Status line, headers and body as they came."""

    status: int
    raw: bytes

    @property
    def headers(self) -> str:
        return self.raw.partition(b"\r\n\r\n")[0].decode("latin-1").casefold()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The app with everything secret that it can have; at the end none of it is in the log."""
    rows = {"far": {"engine": "remote", "servers": [{"url": "https://127.0.0.1:9/v1", "key_env": "FAR_KEY"}]}}
    models = write_models(tmp_path_factory.mktemp("attacked") / "models.toml", rows)
    options = ("--default-model", "echo", "--models-file", str(models), "--log-level", "debug", "--max-body-kb", "64")
    with serve(*options, "--max-message-chars", "1000", environment=SECRETS) as served:
        yield served
        log = served.log.read_text(encoding="utf-8", errors="replace")
        assert not [name for name, secret in SECRETS.items() if secret in log]
        assert "Traceback" not in log


def send(app: Served, raw: bytes) -> Answer:
    """Send bytes as they are; what comes back until the server ends the connection."""
    place = urlsplit(app.address)
    with socket.create_connection((str(place.hostname), int(place.port or 0)), timeout=20) as connection:
        connection.sendall(raw)
        received = b""
        while block := connection.recv(65536):
            received += block
    return Answer(int(received.split(b" ", 2)[1]) if received else 0, received)


def request(app: Served, head: str, body: bytes = b"", *, host: str | None = None) -> Answer:
    """A request with these lines as its head, Host and Connection besides."""
    lines = [*head.split("\n"), f"Host: {urlsplit(app.address).netloc if host is None else host}", "Connection: close"]
    return send(app, "\r\n".join([*lines, "", ""]).encode() + body)


EVERYWHERE = [
    "/en/",
    "/arena/vi/",
    "/workbench/login",
    "/v1/models",
    "/en/config",
    "/static/page.js",
    "/healthz",
    "/no",
]


@pytest.mark.parametrize("path", EVERYWHERE)
def test_every_answer_carries_the_headers(app: Served, path: str) -> None:
    headers = httpx.get(app.address + path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]
    assert "object-src 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
    assert not {"server", "x-powered-by", "access-control-allow-origin"} & set(headers)


def test_scripts_are_marked_anew_for_every_page(app: Served) -> None:
    nonces = set()
    for _ in range(2):
        answer = httpx.get(f"{app.address}/en/")
        nonce = answer.headers["content-security-policy"].split("'nonce-")[1].split("'")[0]
        assert answer.text.count("<script") == answer.text.count(f'<script nonce="{nonce}"') >= 4
        nonces.add(nonce)
    assert len(nonces) == 2


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "", "a b", "["]
)
@pytest.mark.parametrize("path", ["/en/", "/v1/models", "/workbench", "/en/gradio_api/queue/join", "/export/x"])
def test_a_name_that_is_not_ours_reaches_nothing(app: Served, host: str, path: str) -> None:
    """DNS rebinding: a page of a site whose name suddenly means this machine."""
    answer = request(app, f"GET {path} HTTP/1.1", host=host)
    assert answer.status in {400, 403}
    assert "set-cookie" not in answer.headers
    assert "evil.example" not in answer.headers


def test_two_hosts_and_a_whole_address_do_not_get_around_it(app: Served) -> None:
    ours = urlsplit(app.address).netloc
    both = send(app, f"GET /en/ HTTP/1.1\r\nHost: {ours}\r\nHost: evil.example\r\nConnection: close\r\n\r\n".encode())
    assert both.status == 400 or b"evil.example" not in both.raw
    whole = send(app, f"GET http://evil.example/en/ HTTP/1.1\r\nHost: {ours}\r\nConnection: close\r\n\r\n".encode())
    assert b"evil.example" not in whole.raw.replace(b"//evil.example", b"", 1) or whole.status >= 400


SENT_BY_PAGES = ["/en/gradio_api/queue/join", "/en/gradio_api/run/predict", "/workbench/logout", "/workbench/login"]


@pytest.mark.parametrize("origin", [EVIL, "null", "http://127.0.0.1:1", "http://localhost.evil.example"])
@pytest.mark.parametrize("path", [*SENT_BY_PAGES, "/v1/chat/completions"])
def test_pages_of_other_sites_can_send_nothing(app: Served, path: str, origin: str) -> None:
    answer = httpx.post(app.address + path, json={}, headers={"Origin": origin})
    assert answer.status_code in {401, 403}
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", ["/en/config", "/en/gradio_api/app_id", "/v1/models", "/vi/"])
def test_pages_of_other_sites_can_read_nothing(app: Served, path: str) -> None:
    asked = {"Origin": EVIL, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    before = httpx.options(app.address + path, headers=asked)
    assert "access-control-allow-origin" not in before.headers
    with httpx.stream("GET", app.address + path, headers={"Origin": EVIL}) as answer:
        assert not {name for name in answer.headers if name.startswith("access-control-allow")}


@pytest.mark.parametrize("header", ["X-Forwarded-Host", "X-Forwarded-Server", "X-Original-Host", "Forwarded"])
def test_no_header_makes_a_page_point_elsewhere(app: Served, header: str) -> None:
    """Anybody on this machine may be a proxy (the default), but its names must be ours, too."""
    value = "host=evil.example" if header == "Forwarded" else "evil.example"
    answer = httpx.get(f"{app.address}/en/", headers={header: value})
    assert answer.status_code == 403 or "evil.example" not in answer.text


TOO_LARGE = json.dumps({"data": ["x" * 80_000]}).encode()


@pytest.mark.parametrize("path", [*SENT_BY_PAGES[:2], "/v1/chat/completions", "/v1/moderations"])
def test_a_body_that_is_too_large_is_not_read(app: Served, path: str) -> None:
    json_body = {"Content-Type": "application/json"}
    assert httpx.post(app.address + path, content=TOO_LARGE, headers=json_body).status_code == 413
    pieces = (TOO_LARGE[at : at + 4000] for at in range(0, len(TOO_LARGE), 4000))
    assert httpx.post(app.address + path, content=pieces, headers=json_body).status_code == 413
    endless = request(app, f"POST {path} HTTP/1.1\nContent-Type: application/json\nContent-Length: {10**12}", b"{")
    assert endless.status == 413  # though the rest never comes


CLOSED = [
    ("POST", "/en/gradio_api/upload"),
    ("GET", "/en/gradio_api/file=/etc/passwd"),
    ("GET", "/en/gradio_api/file=http://127.0.0.1:9/"),
    ("GET", "/en/gradio_api/proxy=http://127.0.0.1:9/"),
    ("GET", "/en/gradio_api/proxy=https://me-play.hf.space/x"),
    ("GET", "/en/file=/etc/passwd"),
    ("GET", "/en/gradio_api/stream/a/b/c/d"),
    ("GET", "/en/monitoring"),
    ("GET", "/en/gradio_api/info"),
    ("POST", "/en/gradio_api/component_server"),
    ("POST", "/en/gradio_api/process_recording"),
    ("GET", "/en/login"),
    ("GET", "/docs"),
    ("GET", "/openapi.json"),
    ("GET", "/static/fonts/../../app.py"),
    ("GET", "/static/fonts/%2e%2e/%2e%2e/%2e%2e/config.py"),
    ("GET", "/en/static/../../../../etc/passwd"),
    ("GET", "/en/assets/%2e%2e%2f%2e%2e%2f%2e%2e%2fetc/passwd"),
    ("GET", "/arena/comparisons/..%2f..%2fplayground.db.json"),
    ("GET", "/arena/votes/..%2fx.csv"),
]


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_what_the_page_does_not_need_is_closed(app: Served, method: str, path: str) -> None:
    answer = request(app, f"{method} {path} HTTP/1.1\nContent-Length: 0")
    assert answer.status in {400, 403, 404, 405, 422}
    assert b"root:" not in answer.raw
    assert b"import " not in answer.raw


def test_a_second_request_smuggled_in_a_body_is_not_answered(app: Served) -> None:
    inner = b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    head = "POST /en/gradio_api/run/predict HTTP/1.1\nContent-Length: 4\nTransfer-Encoding: chunked"
    answer = request(app, head, b"0\r\n\r\n" + inner)
    assert answer.raw.count(b"HTTP/1.1 ") <= 2
    assert answer.status in {400, 403, 422} or b'"object"' not in answer.raw


def everything_told(app: Served) -> bytes:
    """All pages, their configurations and what goes wrong on them, in one."""
    told = b""
    for path in [*PAGES, *EVERYWHERE, "/workbench", "/workbench/cases.jsonl", "/v1/openapi.json", "/v1/none"]:
        told += httpx.get(app.address + path, follow_redirects=True).content
        told += httpx.get(f"{app.address}{path}config", follow_redirects=True).content
    wrong = {"token": "wrong"}
    told += httpx.post(f"{app.address}/workbench/login", data=wrong).content
    chat = {"model": "far", "messages": [{"role": "user", "content": "hi"}]}
    for headers in ({}, {"Authorization": "Bearer pg-wrong"}):
        told += httpx.post(f"{app.address}/v1/chat/completions", json=chat, headers=headers, timeout=60).content
    with Visitor(app.address) as visitor:
        visitor.use("far")
        visitor.talk("Hello")
        told += bytes(visitor.received)
    return told


def test_no_secret_is_told_to_anybody(app: Served) -> None:
    told = everything_told(app)
    assert b"cannot be reached" in told  # the far server was asked, and what went wrong was said
    assert not [name for name, secret in SECRETS.items() if secret.encode() in told]
    for path in Path(app.data_dir).rglob("*"):
        if path.is_file():
            assert not [name for name, secret in SECRETS.items() if secret.encode() in path.read_bytes()], path


def test_the_operator_s_session_works_and_its_cookie_is_strict(app: Served) -> None:
    with httpx.Client(base_url=app.address) as client:
        assert client.get("/workbench/en/").status_code == 303
        entered = client.post("/workbench/login", data={"token": SECRETS["PLAYGROUND_OPERATOR_TOKEN"]})
        cookie = entered.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
        assert client.get("/workbench/en/").status_code == 200
        foreign = client.post("/workbench/logout", headers={"Origin": EVIL})
        assert foreign.status_code == 403
        assert client.get("/workbench/en/").status_code == 200
