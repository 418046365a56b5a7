"""What goes over the wire: comments while a model is made ready, clients that vanish, broken bodies, and no 500."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from playground.api import following
from playground.api.protocol import ChatBody, TextBody
from playground.api.routes import create_api
from playground.domain import Loading, Stage
from playground.engines.contract import EngineOptions, Progress
from playground.engines.echo_engine import EchoEngine
from playground.engines.registry import ENGINES, EngineKind
from playground.errors import OutOfMemory
from tests.api.conftest import Site, events, until, user

LONG = "It goes on and on. " * 300


def test_a_client_that_vanishes_stops_its_answers(app: Site) -> None:
    body = {"model": "slow", "messages": [user(LONG)], "n": 2, "max_tokens": 100_000}
    url = f"{app.address}/v1/chat/completions"
    with httpx.Client() as client, pytest.raises(httpx.ReadTimeout):
        client.post(url, json=body, timeout=httpx.Timeout(30, read=0.5))
    until(app.idle, 5)
    with httpx.Client() as client, client.stream("POST", url, json={**body, "stream": True}, timeout=30) as answer:
        assert any('"content":"It' in line for line in answer.iter_lines())
        assert not app.idle()
    until(app.idle, 5)


def test_plain_curl_can_follow_a_stream(app: Site) -> None:
    body = json.dumps({"model": "echo", "stream": True, "messages": [user("one, two, three")]})
    command = ["curl", "-sN", f"{app.address}/v1/chat/completions", "-H", "Content-Type: application/json", "-d", body]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    sent = events(shown)
    assert sent[-1] == "[DONE]"
    chunks = [event for event in sent if isinstance(event, dict)]
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == "one, two, three"


def test_waiting_and_loading_are_told_in_comments(serve: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "HEARTBEAT_SECONDS", 0.05)

    def create(spec: Any, options: EngineOptions, progress: Progress) -> EchoEngine:
        progress(Loading(Stage.LOADING, 0.4))
        time.sleep(0.5)
        return EchoEngine()

    monkeypatch.setitem(ENGINES, "echo", EngineKind(create, in_worker=False, options=ENGINES["echo"].options))  # type: ignore[misc]
    sent = serve().stream("hello")
    comments = [event for event in sent if isinstance(event, str)]
    assert ": loading 40%" in comments
    assert ": still working" in comments
    assert sent[-1] == "[DONE]"


def test_the_place_in_line_is_told_until_it_is_ones_turn(serve: Callable[..., Site]) -> None:
    site = serve(max_runs=1)
    client = site.openai()
    with client.chat.completions.create(model="slow", messages=[user(LONG)], stream=True) as first:  # type: ignore[arg-type]
        next(iter(first))
        with httpx.Client(timeout=30) as http, ThreadPoolExecutor(1) as threads:
            body = {"model": "echo", "messages": [user("hello")], "stream": True}
            second = threads.submit(http.post, f"{site.address}/v1/chat/completions", json=body)
            url = f"{site.address}/v1/chat/completions"
            with http.stream("POST", url, json=body) as third:
                lines = third.iter_lines()
                assert any(line.startswith(": queued, place ") for line in lines)
                first.close()
                rest = "\n".join(lines)
    assert "hello" in rest
    assert rest.rstrip().endswith("data: [DONE]")
    told = events(second.result().text)
    assert told[-1] == "[DONE]"
    assert {": queued, place 1"} <= {event for event in told if isinstance(event, str)}


def test_a_model_that_cannot_be_loaded_is_told_alike(
    serve: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    def create(spec: Any, options: EngineOptions, progress: Progress) -> EchoEngine:
        raise OutOfMemory("There is not enough memory. Choose a smaller model.")

    monkeypatch.setitem(ENGINES, "echo", EngineKind(create, in_worker=False, options=ENGINES["echo"].options))  # type: ignore[misc]
    site = serve()
    answer = site.chat("hello")
    assert (answer.status_code, answer.json()["error"]["code"]) == (507, "out_of_memory")
    *_, error = site.stream("hello")
    assert error == answer.json()


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"3", b'"x"', b"\xff\xfe", b"{}", b'{"model": "echo"}', b"[" * 100_000,
     b'{"model": "echo", "messages": [{"role": "user", "content": "\\ud800"}], "seed": 1e999}',
     b'{"model": "echo", "n": ' + b"9" * 5000 + b"}", b'{"model": "echo", "temperature": NaN, "messages": []}'],
)  # fmt: skip
def test_broken_bodies_get_a_sentence(app: Site, body: bytes) -> None:
    for path in ("chat/completions", "completions", "moderations"):
        answer = httpx.post(
            f"{app.address}/v1/{path}", content=body, headers={"Content-Type": "application/json"}, timeout=30
        )
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"]["message"].endswith(".")


def test_unknown_addresses_and_methods(app: Site) -> None:
    for method, path, status in (("GET", "/nothing", 404), ("GET", "/chat/completions", 405), ("POST", "/models", 405)):
        answer = httpx.request(method, f"{app.address}/v1{path}")
        assert (answer.status_code, answer.json()["error"]["type"]) == (status, "invalid_request_error")


def test_the_document_describes_what_is_served(app: Site) -> None:
    document = httpx.get(f"{app.address}/v1/openapi.json").json()
    assert {"/models", "/chat/completions", "/completions", "/moderations"} <= set(document["paths"])
    assert "top_k" in document["components"]["schemas"]["ChatBody"]["properties"]


@pytest.fixture(scope="module")
def api(app: Site) -> Iterator[TestClient]:
    with TestClient(create_api(app.services), base_url="http://127.0.0.1", client=("127.0.0.1", 1)) as client:
        yield client


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from([*ChatBody.model_fields, *TextBody.model_fields, "input", "anything"])
TURN = st.dictionaries(st.sampled_from(["role", "content", "name", "tool_calls", "x"]), VALUES, max_size=3) | st.just(
    {"role": "user", "content": "hi"}
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    path=st.sampled_from(["chat/completions", "completions", "moderations"]),
    base=st.sampled_from([{}, {"model": "echo", "messages": [user("hi")]}, {"model": "echo", "prompt": "hi"}]),
    changes=st.dictionaries(FIELDS, VALUES, max_size=3),
    turns=st.none() | st.lists(TURN, max_size=3),
)
def test_no_body_is_too_much(api: TestClient, path: str, base: Any, changes: Any, turns: Any) -> None:
    body = {**base, **changes, **({} if turns is None else {"messages": turns})}
    raw = json.dumps(body).encode("utf-8", "surrogatepass")
    answer = api.post(f"/{path}", content=raw, headers={"Content-Type": "application/json"})
    assert answer.status_code in {200, 400, 404, 413, 429}
    if answer.status_code != 200:
        assert set(answer.json()["error"]) >= {"message", "type", "param", "code"}
