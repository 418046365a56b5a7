"""The front door alone: names, sites, proxies, sizes. `tests/e2e/test_attacks.py` attacks the running server."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from playground.config import Settings
from playground.errors import ConfigError
from playground.front_door import FrontDoor, allowed_origins, trusted_proxies
from playground.loopback import comes_from_here

HOST = "127.0.0.1:7860"


async def tell(request: Request) -> JSONResponse:
    body = await request.body()
    return JSONResponse(
        {
            "host": request.headers.get("host"),
            "scheme": request.url.scheme,
            "client": request.client.host if request.client else "",
            "here": comes_from_here(request),
            "forwarded": sorted(name for name in request.headers if "forwarded" in name),
            "read": len(body),
        }
    )


def door(peer: str = "127.0.0.1", **changes: Any) -> TestClient:
    settings = Settings(**changes)
    app = Starlette(routes=[Route("/{path:path}", tell, methods=["GET", "POST"])])
    app.add_middleware(
        FrontDoor, settings=settings, proxies=trusted_proxies(settings), origins=allowed_origins(settings)
    )
    return TestClient(app, base_url=f"http://{HOST}", client=(peer, 1))


@pytest.mark.parametrize(
    ("changes", "host", "let_in"),
    [
        ({}, HOST, True),
        ({}, "localhost:1", True),
        ({}, "[::1]:7860", True),
        ({}, "evil.example", False),
        ({}, "127.0.0.1.evil.example", False),
        ({}, "localhost.evil.example", False),
        ({}, "evil.example@127.0.0.1", True),  # the part behind @ is the host, as in addresses
        ({}, "127.0.0.1@evil.example", False),
        ({}, "", False),
        ({}, "[", False),
        ({"host": "0.0.0.0"}, "anything.example", True),
        ({"host": "0.0.0.0", "allowed_hosts": "demo.example, *.demo.example"}, "demo.example", True),
        ({"host": "0.0.0.0", "allowed_hosts": "demo.example, *.demo.example"}, "DEMO.example:8000", True),
        ({"host": "0.0.0.0", "allowed_hosts": "*.demo.example"}, "a.demo.example", True),
        ({"host": "0.0.0.0", "allowed_hosts": "*.demo.example"}, "evildemo.example", False),
        ({"host": "0.0.0.0", "allowed_hosts": "demo.example"}, "127.0.0.1", False),
        ({"allowed_hosts": "demo.example"}, "demo.example", True),
        ({"allowed_hosts": "demo.example"}, HOST, False),
    ],
)
def test_names_it_answers_under(changes: dict[str, str], host: str, let_in: bool) -> None:
    client = door(**changes)
    answer = client.get("/x", headers={"host": host})
    assert (answer.status_code == 200) is let_in
    if not let_in:
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "not_allowed"
        assert client.get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    ("origin", "let_in"),
    [
        (None, True),
        (f"http://{HOST}", True),
        ("https://good.example", True),
        ("https://good.example.evil.example", False),
        ("https://evil.example", False),
        ("http://127.0.0.1:9999", False),
        ("null", False),
        ("", False),
    ],
)
def test_pages_of_other_sites_may_read_nothing_and_send_nothing(origin: str | None, let_in: bool) -> None:
    client = door(allowed_origins="https://good.example")
    headers = {} if origin is None else {"origin": origin}
    assert client.post("/x", headers=headers).status_code == (200 if let_in else 403)
    assert client.post("/v1/x", headers=headers).status_code == 200  # the API decides by itself
    assert client.get("/x", headers=headers).status_code == 200


FORWARDED = {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https", "x-forwarded-host": "demo.example"}


@pytest.mark.parametrize("path", ["/v1/models/%0A0", "/en%00", "/%C2%85"])
def test_addresses_with_control_characters_are_refused(path: str) -> None:
    answer = door().get(path)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].endswith(".")
    assert door().get("/vi/%C3%A1%20%E2%80%94").status_code == 200


def test_what_a_trusted_proxy_says_is_believed() -> None:
    seen = door(peer="10.0.0.5", trusted_proxies="10.0.0.0/8", allowed_hosts="demo.example").get("/", headers=FORWARDED)
    assert seen.json() | {"forwarded": []} == {
        "host": "demo.example",
        "scheme": "https",
        "client": "203.0.113.9",
        "here": False,
        "forwarded": [],
        "read": 0,
    }


def test_a_trusted_proxy_s_host_must_be_one_of_ours() -> None:
    client = door(trusted_proxies="127.0.0.1", allowed_hosts="demo.example")
    assert client.get("/", headers={**FORWARDED, "x-forwarded-host": "evil.example"}).status_code == 403


@pytest.mark.parametrize(("peer", "proxies"), [("10.0.0.5", "127.0.0.1"), ("127.0.0.1", ""), ("testclient", "::1")])
def test_what_anybody_else_says_goes_and_leaves_a_trace(peer: str, proxies: str) -> None:
    seen = door(peer=peer, trusted_proxies=proxies).get("/", headers=FORWARDED).json()
    assert (seen["host"], seen["scheme"], seen["client"]) == (HOST, "http", peer)
    assert seen["forwarded"] == []
    assert seen["here"] is False


def test_a_program_of_this_machine_is_still_known() -> None:
    assert door().get("/").json()["here"] is True
    assert door(trusted_proxies="").get("/").json()["here"] is True


def test_bodies_are_bounded_whether_or_not_their_size_is_told() -> None:
    client = door(max_body_kb=1, max_message_chars=1)
    assert client.post("/", content=b"x" * 1024).json()["read"] == 1024
    assert client.post("/", content=b"x" * 1025).status_code == 413
    assert client.post("/", content=(b"x" * 100 for _ in range(11))).status_code == 413
    assert client.post("/", content=b"x", headers={"content-length": "-5"}).status_code == 413
    assert client.post("/", content=b"x", headers={"content-length": "9" * 50}).status_code == 413


def test_a_message_of_the_allowed_length_always_fits() -> None:
    client = door(max_body_kb=1, max_message_chars=1000)
    assert client.post("/", content=b"x" * 12_000).json()["read"] == 12_000


def test_other_protocols_are_refused() -> None:
    with pytest.raises(WebSocketDisconnect) as refused, door().websocket_connect("/x"):
        pass
    assert refused.value.code == 1008


@pytest.mark.parametrize("proxies", ["*", "proxy.example", "10.0.0.1/8"])
def test_a_proxy_is_an_address_or_a_network(proxies: str) -> None:
    with pytest.raises(ConfigError, match=r"trusted_proxies holds .*10.0.0.0/8"):
        trusted_proxies(Settings(trusted_proxies=proxies))


@pytest.mark.parametrize("origins", ["*", "null", "good.example", "https://good.example/", "https://good.example/x"])
def test_an_origin_is_scheme_and_host(origins: str) -> None:
    with pytest.raises(ConfigError, match=r"allowed_origins holds .*https://site\.example"):
        allowed_origins(Settings(allowed_origins=origins))
