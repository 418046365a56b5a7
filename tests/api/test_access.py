"""Keys, hosts, other sites' pages, limits and sizes, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import openai
import pytest
from starlette.requests import HTTPConnection

from playground.api.auth import Doorkeeper
from playground.config import Settings
from playground.errors import KeyNeeded, NotAllowed, PlaygroundError
from playground.storage.keys import KeyStore
from tests.api.conftest import Site, until, user

HERE = {"host": "127.0.0.1:7860"}


def connection(client: str = "127.0.0.1", **headers: str) -> HTTPConnection:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    pairs = [(name.encode(), value.encode()) for name, value in {**HERE, **named}.items()]
    return HTTPConnection({"type": "http", "headers": pairs, "client": (client, 1234)})


@pytest.mark.parametrize(
    ("changes", "asked", "refusal"),
    [
        ({}, {}, None),
        ({}, {"authorization": "Bearer whatever"}, None),
        ({}, {"client": "10.0.0.5"}, KeyNeeded),
        ({}, {"x_forwarded_for": "10.0.0.5"}, KeyNeeded),
        ({}, {"host": "evil.example"}, KeyNeeded),
        ({}, {"origin": "https://evil.example"}, KeyNeeded),
        ({}, {"origin": "http://127.0.0.1:7860"}, None),
        ({"host": "0.0.0.0"}, {}, KeyNeeded),
        ({"api_keys": "required"}, {}, KeyNeeded),
        ({"api_keys": "off", "host": "0.0.0.0"}, {"client": "10.0.0.5", "host": "demo.example"}, None),
        ({"api_keys": "off", "host": "0.0.0.0"}, {"client": "10.0.0.5", "origin": "https://evil.example"}, NotAllowed),
        ({"allowed_origins": "https://good.example"}, {"origin": "https://good.example"}, None),
    ],
)
def test_who_needs_a_key(
    app: Site, changes: dict[str, str], asked: dict[str, str], refusal: type[PlaygroundError] | None
) -> None:
    doorkeeper = Doorkeeper(Settings(**changes), KeyStore(app.services.database))  # type: ignore[arg-type]
    if refusal is None:
        assert doorkeeper.admit(connection(**asked)).owner.startswith("visitor-")
    else:
        with pytest.raises(refusal):
            doorkeeper.admit(connection(**asked))


def test_a_key_opens_and_a_revoked_one_does_not(serve: Callable[..., Site]) -> None:
    site = serve(api_keys="required")
    with pytest.raises(openai.AuthenticationError) as caught:
        site.openai().models.list()
    assert (caught.value.code, caught.value.type) == ("invalid_api_key", "authentication_error")
    assert caught.value.response.headers["www-authenticate"] == "Bearer"
    assert site.post("/chat/completions", {}).status_code == 401
    key, secret = site.services.keys.create("anna")
    client = site.openai(secret)
    assert client.chat.completions.create(model="echo", messages=[user("hi there")]).choices[0].message.content
    (listed,) = site.services.keys.listed()
    assert (listed.used_tokens, listed.name) == (3, "anna")
    (row, *_) = [*site.services.decisions.newest(5), {"owner": f"key-{key.id}"}]
    assert row["owner"] == f"key-{key.id}"
    site.services.keys.revoke("anna")
    with pytest.raises(openai.AuthenticationError):
        client.models.list()
    assert httpx.get(f"{site.address}/v1/openapi.json").status_code == 200


def test_requests_per_minute_tokens_per_day_and_at_once(serve: Callable[..., Site]) -> None:
    site = serve(api_keys="required", api_requests_per_minute=1000)
    _, often = site.services.keys.create("often", requests_per_minute=2)
    _, much = site.services.keys.create("much", tokens_per_day=6)
    _, once = site.services.keys.create("once", concurrent=1)

    def ask(secret: str, text: str = "a word or two") -> httpx.Response:
        return site.post(
            "/chat/completions", {"model": "echo", "messages": [user(text)]}, authorization=f"Bearer {secret}"
        )

    assert [ask(often).status_code for _ in range(3)] == [200, 200, 429]
    answer = ask(often)
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert answer.json()["error"]["code"] == "rate_limit_exceeded"
    assert answer.json()["error"]["type"] == "rate_limit_error"
    assert [ask(much).status_code for _ in range(3)] == [200, 200, 429]
    assert int(ask(much).headers["retry-after"]) >= 1
    client = site.openai(once)
    with client.chat.completions.create(model="slow", messages=[user("on and on " * 30)], stream=True) as stream:
        next(iter(stream))
        assert ask(once).status_code == 429
    until(site.idle)
    until(lambda: ask(once).status_code == 200)


def test_visitors_are_limited_by_the_settings(serve: Callable[..., Site]) -> None:
    site = serve(api_requests_per_minute=2, api_tokens_per_day=0)
    assert [site.chat("hi").status_code for _ in range(3)] == [200, 200, 429]
    assert site.openai().models.list()


def test_other_sites_pages_are_let_in_by_name_only(serve: Callable[..., Site]) -> None:
    asked = {"Origin": "https://good.example", "Access-Control-Request-Method": "POST"}
    closed = serve(pages=True)
    assert "access-control-allow-origin" not in httpx.options(f"{closed.address}/v1/models", headers=asked).headers
    opened = serve(pages=True, allowed_origins="https://good.example, https://fine.example")
    answer = httpx.options(f"{opened.address}/v1/models", headers=asked)
    assert answer.headers["access-control-allow-origin"] == "https://good.example"
    answer = httpx.get(f"{opened.address}/v1/models", headers={"Origin": "https://good.example"})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "https://good.example")


def test_a_body_that_is_too_large_is_refused_however_it_comes(serve: Callable[..., Site]) -> None:
    site = serve(pages=True, max_body_kb=16, max_message_chars=1000)
    body = {"model": "echo", "messages": [user("x" * 20_000)]}
    whole = site.post("/chat/completions", body)
    raw = json.dumps(body).encode()
    pieces = httpx.post(
        f"{site.address}/v1/chat/completions",
        content=(raw[start : start + 1000] for start in range(0, len(raw), 1000)),
        headers={"Content-Type": "application/json"},
    )
    for answer in (whole, pieces):
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")
    assert site.chat("small").status_code == 200
    page = httpx.post(f"{site.address}/en/gradio_api/queue/join", json={"data": ["x" * 20_000]})
    assert page.status_code == 413
