"""The named endpoints, called by Gradio's own client; nothing else of the site can be called by it."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from playground.api.calls import ChatCall, CompareCall, ModerateCall
from playground.log import request_id
from tests.api.conftest import Site
from tests.exits.surface import pages_of

BAD = "Here is a start that is fine.\nAnd then you motherfucker comes, and goes on.\n"
ABUSE = "kill yourself you worthless piece of shit"


def connect(site: Site, **headers: str) -> Client:
    return Client(f"{site.address}/", verbose=False, download_files=False, headers=headers, analytics_enabled=False)


@pytest.fixture(scope="module")
def client(app: Site) -> Iterator[Client]:
    client = connect(app)
    yield client
    client.close()


def test_these_and_no_others(client: Client) -> None:
    described: Any = client.view_api(return_format="dict")
    assert set(described["named_endpoints"]) == {"/chat", "/compare", "/moderate"}
    assert described["unnamed_endpoints"] == {}
    named = {
        name: [one["parameter_name"] for one in endpoint["parameters"]]
        for name, endpoint in described["named_endpoints"].items()
    }
    assert named["/chat"] == list(ChatCall.model_fields)
    assert named["/compare"] == list(CompareCall.model_fields)
    assert named["/moderate"] == list(ModerateCall.model_fields)


def test_every_listener_of_the_pages_is_private(app: Site) -> None:
    seen = 0
    for blocks in pages_of(app.app).values():
        for dependency in blocks.config["dependencies"]:
            seen += 1
            assert dependency["api_visibility"] == "private", dependency
    assert seen > 50
    for path in ("en", "vi", "arena/en", "workbench/en"):
        for below in ("info", "call/chat", "mcp/", "openapi.json", "run/chat", "api/chat"):
            answer = httpx.get(f"{app.address}/{path}/gradio_api/{below}")
            assert answer.status_code in {404, 405}, (path, below)


def test_nothing_else_of_gradio_is_served_at_the_root(app: Site) -> None:
    for path in ("file=/etc/passwd", "gradio_api/file=/etc/passwd", "gradio_api/upload", "gradio_api/openapi.json",
                 "gradio_api/run/chat", "gradio_api/call/other", "gradio_api/vibe-code", "monitoring", "login",
                 "gradio_api/proxy=http://127.0.0.1:1/", "theme.css", "assets/index.js", "nothing"):  # fmt: skip
        for method in ("GET", "POST"):
            assert httpx.request(method, f"{app.address}/{path}").status_code == 404, path
    assert httpx.get(f"{app.address}/").status_code == 307


def test_an_answer_is_logged_with_the_request_that_joined_the_queue(
    app: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, str]] = []
    caplog.set_level("INFO", "playground")
    monkeypatch.setattr(caplog.handler, "emit", lambda record: told.append((request_id(), record.getMessage())))
    name = "abcdef0123456789"
    client = connect(app, **{"X-Request-ID": name})
    client.predict("Good day.", model="echo", api_name="/chat")
    client.close()
    assert app.services.chat.wait_idle(10)
    assert [about for about, line in told if " of echo: stop" in line] == [name]


def test_a_chat_streams_and_ends_whole(app: Site, client: Client) -> None:
    text = "It goes on, and on, and on. " * 8
    job = client.submit(text, model="slow", api_name="/chat")
    last = job.result(60)
    told = job.outputs()
    assert len(told) > 3
    texts = [answer["text"] for answer in told]
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(texts))
    assert last["text"] == text.strip()
    assert (last["model"], last["status"], last["finish_reason"]) == ("slow", "done", "stop")
    assert last["usage"]["completion_tokens"] > 10
    assert last["moderation"] is None
    assert {answer["status"] for answer in told[:-1]} <= {"writing", "checking", "loading", "loading 0%", "queued"} | {
        answer["status"] for answer in told if answer["status"].startswith(("queued", "loading"))
    }


def test_a_conversation_the_default_model_and_settings(client: Client) -> None:
    history = [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]
    answer = client.predict("three", history=history, system_prompt="Be kind.", api_name="/chat")
    assert (answer["model"], answer["text"]) == ("echo", "three")
    answer = client.predict("What is a token?", model="pip", temperature=0, max_tokens=5, api_name="/chat")
    assert answer["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 5


def test_two_models_are_compared(client: Client) -> None:
    job = client.submit("What is a token?", models=["echo", "pip"], temperature=0, max_tokens=20, api_name="/compare")
    one, other = job.result(60)["answers"]
    assert (one["model"], one["text"], one["finish_reason"]) == ("echo", "What is a token?", "stop")
    assert other["model"] == "pip"
    assert other["text"]
    assert other["text"] != one["text"]


def test_one_side_that_fails_does_not_take_the_other_along(
    serve_endpoints: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    from playground.engines.registry import ENGINES, EngineKind  # noqa: PLC0415
    from playground.errors import OutOfMemory  # noqa: PLC0415

    def create(*_: Any) -> Any:
        raise OutOfMemory("There is not enough memory. Choose a smaller model.")

    monkeypatch.setitem(ENGINES, "onnx", EngineKind(create, in_worker=False, options={"template": str}))  # type: ignore[misc]
    client = connect(serve_endpoints())
    one, other = client.predict("hello", models=["echo", "pip"], api_name="/compare")["answers"]
    assert one["text"] == "hello"
    assert (other["status"], other["error"]["code"], other["text"]) == ("failed", "out_of_memory", "")
    with pytest.raises(AppError, match="Choose a smaller model"):
        client.predict("hello", model="pip", api_name="/chat")
    client.close()


def test_moderate_gives_the_receipt(client: Client) -> None:
    rude = client.predict("you worthless piece of shit", api_name="/moderate")
    assert rude["flagged"]
    assert rude["moderation"]["direction"] == "input"
    finding = rude["moderation"]["findings"][0]
    assert finding["score"] >= finding["threshold"]
    assert {"category", "detector", "version", "span"} <= set(finding)
    calm = client.predict("Hello there.", api_name="/moderate")
    assert (calm["flagged"], calm["moderation"]) == (False, None)


def test_what_the_gate_stops_is_a_result_with_its_receipt(client: Client) -> None:
    stopped = client.predict(BAD, api_name="/chat")
    assert (stopped["text"], stopped["finish_reason"]) == ("Here is a start that is fine.\n", "content_filter")
    assert stopped["moderation"]["decisions"][-1]["direction"] == "output"
    refused = client.predict(ABUSE, api_name="/chat")
    assert (refused["text"], refused["finish_reason"], refused["usage"]) == ("", "content_filter", None)
    assert refused["moderation"]["decisions"][0]["direction"] == "input"
    both = client.predict(ABUSE, models=["echo", "pip"], api_name="/compare")["answers"]
    assert [answer["finish_reason"] for answer in both] == ["content_filter"] * 2


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("/chat", {"message": "hi", "model": "gpt-9"}, "gpt-9|model"),
        ("/chat", {"message": "hi", "temperature": 9}, "temperature"),
        ("/chat", {"message": " "}, "empty"),
        ("/chat", {"message": 3}, "message"),
        ("/chat", {"message": "hi", "history": [{"role": "tool", "content": "x"}]}, "history.0.role"),
        ("/compare", {"message": "hi", "models": ["echo"]}, "models"),
        ("/compare", {"message": "hi", "models": ["echo"] * 5}, "models"),
        ("/moderate", {"text": "x" * 40_000}, "characters"),
    ],
)
def test_mistakes_get_a_sentence(client: Client, name: str, arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(AppError, match=says):
        client.predict(**arguments, api_name=name)


def test_plain_curl_can_call_and_follow(app: Site) -> None:
    started = httpx.post(f"{app.address}/gradio_api/call/v2/chat", json={"message": "one, two, three"}).json()
    answer = httpx.get(f"{app.address}/gradio_api/call/chat/{started['event_id']}", timeout=30).text
    complete = re.findall(r"event: complete\ndata: (.*)\n", answer)
    assert json.loads(complete[0])[0]["text"] == "one, two, three"


def test_a_key_is_needed_where_v1_needs_one_and_its_limits_count(serve_endpoints: Callable[..., Site]) -> None:
    site = serve_endpoints(api_keys="required")
    for path in ("config", "gradio_api/info", "gradio_api/queue/data?session_hash=x", "gradio_api/mcp/"):
        answer = httpx.get(f"{site.address}/{path}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
    _, secret = site.services.keys.create("anna", requests_per_minute=3)
    client = connect(site, Authorization=f"Bearer {secret}")
    assert client.predict("hello", api_name="/chat")["text"] == "hello"
    assert len(client.predict("hello", models=["echo", "slow"], api_name="/compare")["answers"]) == 2
    with pytest.raises(AppError, match="More than 3 requests in a minute"):
        client.predict("hello", api_name="/moderate")
    assert site.openai(secret).models.list()
    answer = site.post("/moderations", {"input": "x"}, authorization=f"Bearer {secret}")
    assert answer.status_code == 429
    (key,) = site.services.keys.listed()
    assert key.used_tokens > 3
    client.close()


def test_another_host_and_other_sites_are_kept_out(app: Site) -> None:
    for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
        for path in ("config", "gradio_api/mcp/"):
            assert httpx.get(f"{app.address}/{path}", headers=headers).status_code in {401, 403}
