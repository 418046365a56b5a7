"""The tools, used by the real client of the Model Context Protocol."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httpx
import jsonschema
import pytest
from mcp.client.client import Client as McpClient

from playground.api.mcp import VERSIONS
from tests.api.conftest import Site

T = TypeVar("T")
ABUSE = "kill yourself you worthless piece of shit"


def use(site: Site, work: Callable[[McpClient], Awaitable[T]], **options: Any) -> T:
    async def connected() -> T:
        async with McpClient(f"{site.address}/gradio_api/mcp/", **options) as client:
            return await work(client)

    return asyncio.run(connected())


def call(site: Site, name: str, **arguments: Any) -> Any:
    return use(site, lambda client: client.call_tool(name, arguments))


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_these_tools_and_no_others(app: Site, mode: str) -> None:
    listed = use(app, lambda client: client.list_tools(), mode=mode)
    assert [tool.name for tool in listed.tools] == ["chat", "compare", "moderate"]
    for tool in listed.tools:
        jsonschema.Draft202012Validator.check_schema(tool.input_schema)
        assert tool.description
    assert listed.tools[0].input_schema["required"] == ["message"]


def test_chat_tells_its_progress_and_then_the_answer(app: Site) -> None:
    told: list[tuple[float, str | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, message))

    text = "It goes on, and on. " * 6
    arguments = {"message": text, "model": "slow"}
    result = use(app, lambda client: client.call_tool("chat", arguments, progress_callback=on_progress))
    assert not result.is_error
    assert result.content[0].text == text.strip()
    assert result.structured_content["finish_reason"] == "stop"
    assert any(message == "slow: writing" for _, message in told)
    assert [progress for progress, _ in told] == sorted({progress for progress, _ in told})


def test_compare_and_moderate(app: Site) -> None:
    result = call(app, "compare", message="What is a token?", models=["echo", "pip"], max_tokens=20)
    assert result.content[0].text.startswith("## echo\n\nWhat is a token?\n\n## pip\n\n")
    assert [answer["model"] for answer in result.structured_content["answers"]] == ["echo", "pip"]
    rude = call(app, "moderate", text=ABUSE)
    assert rude.structured_content["flagged"]
    assert json.loads(rude.content[0].text) == rude.structured_content
    refused = call(app, "chat", message=ABUSE)
    assert not refused.is_error
    assert refused.structured_content["moderation"]["decisions"][0]["direction"] == "input"
    assert "stopped what was sent" in refused.content[0].text
    assert ABUSE not in refused.content[0].text


def test_mistakes_are_told_as_results_that_a_model_can_mend(app: Site) -> None:
    for arguments, says in (
        ({"message": "hi", "model": "gpt-9"}, "model"),
        ({"message": "hi", "surprise": 1}, "surprise"),
        ({}, "message"),
    ):
        result = call(app, "chat", **arguments)
        assert result.is_error
        assert says in result.content[0].text


def test_keys_are_needed_where_v1_needs_them(serve_endpoints: Callable[..., Site]) -> None:
    site = serve_endpoints(api_keys="required")
    _, secret = site.services.keys.create("anna")
    answer = post(site, {"jsonrpc": "2.0", "id": 1, "method": "ping"})
    assert answer.status_code == 401
    answer = post(site, {"jsonrpc": "2.0", "id": 1, "method": "ping"}, authorization=f"Bearer {secret}")
    assert answer.json() == {"jsonrpc": "2.0", "id": 1, "result": {}}


def post(site: Site, body: object, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    accepted = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    return httpx.post(f"{site.address}/gradio_api/mcp", content=content, headers=accepted | headers, timeout=30)


@pytest.mark.parametrize("version", [*VERSIONS, "2030-01-01"])
def test_the_handshake_agrees_on_a_version(app: Site, version: str) -> None:
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}}
    told = post(app, {"jsonrpc": "2.0", "id": "a", "method": "initialize", "params": params}).json()
    assert told["id"] == "a"
    assert told["result"]["protocolVersion"] == (version if version in VERSIONS else VERSIONS[-1])
    assert post(app, {"jsonrpc": "2.0", "method": "notifications/initialized"}).status_code == 202


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, -32700),
        (b"[" * 10_000, 400, -32700),
        (b"[]", 400, -32600),
        ({"id": 1, "method": "ping"}, 400, -32600),
        ({"jsonrpc": "2.0", "id": 1, "method": 3}, 400, -32600),
        ({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": [1]}, 400, -32600),
        ({"jsonrpc": "2.0", "id": 1, "method": "resources/list"}, 200, -32601),
        ({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "rm"}}, 200, -32602),
        ({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": ["chat"]}}, 200, -32602),
    ],
)
def test_messages_that_are_none(app: Site, body: object, status: int, code: int) -> None:
    answer = post(app, body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["message"].endswith(".")


def test_there_is_nothing_to_listen_to_and_no_session_to_end(app: Site) -> None:
    for method in ("GET", "DELETE"):
        assert httpx.request(method, f"{app.address}/gradio_api/mcp/").status_code == 405
