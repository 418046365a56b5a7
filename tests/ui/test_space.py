"""On a Space: shown in the Hub's frame and in nobody else's, cookies that work there, storage told to be lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from gradio.context import LocalContext

from playground.config import Settings, Space, read_space
from playground.domain import ChatRequest
from playground.front_door import FrontDoor, trusted_proxies
from playground.services import Services, build
from playground.ui.app import create_app
from playground.ui.asker import AskerContext
from playground.ui.owner import COOKIE

SPACE = Space("me/play", "me-play.hf.space")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    built = build(Settings(data_dir=tmp_path_factory.mktemp("data"), default_model="echo"))
    yield built
    built.close()


@pytest.fixture(scope="module")
def on_space(kept: Services) -> Iterator[TestClient]:
    with TestClient(create_app(kept, SPACE), base_url="https://me-play.hf.space") as client:
        yield client


@pytest.fixture(scope="module")
def at_home(kept: Services) -> Iterator[TestClient]:
    with TestClient(create_app(kept)) as client:
        yield client


def test_only_on_a_space_and_only_the_hub_may_show_the_page_in_a_frame(
    on_space: TestClient, at_home: TestClient
) -> None:
    there, here = on_space.get("/en/").headers, at_home.get("/en/").headers
    assert there["Content-Security-Policy"].endswith("frame-ancestors 'self' https://huggingface.co")
    assert "X-Frame-Options" not in there
    assert here["Content-Security-Policy"].endswith("frame-ancestors 'self'")
    assert here["X-Frame-Options"] == "SAMEORIGIN"
    assert {name: value for name, value in there.items() if name == "x-content-type-options"}


def test_cookies_work_in_the_frame_there_and_stay_with_the_site_here(on_space: TestClient, at_home: TestClient) -> None:
    for client, expected, other in ((on_space, "SameSite=None; Secure; Partitioned", "Lax"), (at_home, "Lax", "None")):
        client.cookies.clear()
        answer = client.get("/en/")
        (cookie,) = [value for value in answer.headers.get_list("set-cookie") if value.startswith(COOKIE)]
        assert expected in cookie
        assert other not in cookie
        assert "HttpOnly" in cookie
        assert f'"cookie": "{"SameSite=" + expected if expected == "Lax" else expected}"' in answer.text


def foot(client: TestClient) -> dict[str, bool]:
    config = client.get("/en/config").json()
    (part,) = [part["id"] for part in config["components"] if part["props"].get("elem_id") == "sidefoot"]
    (load,) = [one for one in config["dependencies"] if part in one["outputs"]]
    body = {"data": [], "event_data": None, "fn_index": load["id"], "session_hash": "visitor", "trigger_id": None}
    answer = client.post("/en/gradio_api/run/predict", json=body)
    return dict(answer.json()["data"][0])


def test_storage_is_called_temporary_where_it_is(
    on_space: TestClient, at_home: TestClient, kept: Services, tmp_path: Path
) -> None:
    assert foot(on_space)["temporary"] is True
    assert foot(at_home)["temporary"] is False
    built = build(replace(kept.settings, data_dir=tmp_path / "data", snapshot_dir=tmp_path / "bucket"))
    with TestClient(create_app(built, SPACE), base_url="https://me-play.hf.space") as client:
        assert foot(client)["temporary"] is False
    built.close()


def test_conversations_can_be_saved_by_their_owner(on_space: TestClient, kept: Services) -> None:
    on_space.cookies.clear()
    on_space.get("/en/")
    owner = on_space.cookies[COOKIE]
    assert kept.chat.start(ChatRequest(owner, "echo", "Xin chào")).wait(60)
    answer = on_space.get("/export/conversations.json")
    (conversation,) = answer.json()["conversations"]
    assert [message["content"] for message in conversation["messages"]] == ["Xin chào", "Xin chào"]
    assert answer.headers["content-disposition"] == 'attachment; filename="conversations.json"'
    assert answer.headers["cache-control"] == "no-store"
    assert "Xin chào" in on_space.get("/export/conversations.md").text
    on_space.cookies.clear()
    assert json.loads(on_space.get("/export/conversations.json").text)["conversations"] == []
    assert on_space.get("/export/conversations.exe").status_code == 404


def test_a_request_is_found_where_the_lender_of_cards_looks_for_it() -> None:
    seen: list[str] = []

    async def app(scope, receive, send):  # type: ignore[no-untyped-def]
        request = await asyncio.to_thread(LocalContext.request.get)
        seen.append(request.headers["x-ip-token"])

    scope = {"type": "http", "headers": [(b"x-ip-token", b"anna")], "method": "POST", "path": "/v1/chat/completions"}
    asyncio.run(AskerContext(app)(scope, None, None))  # type: ignore[arg-type]
    assert seen == ["anna"]
    assert LocalContext.request.get(None) is None


def test_a_space_is_recognised_by_its_environment() -> None:
    assert read_space({"SPACE_ID": "me/play", "SPACE_HOST": "me-play.hf.space"}) == SPACE
    assert read_space({"SPACE_HOST": "me-play.hf.space"}) is None
    assert read_space({}) is None


async def _who(space: Space | None, peer: str, forwarded: str) -> tuple[str, str]:
    seen = {}

    async def app(scope, receive, send):  # type: ignore[no-untyped-def]
        seen.update(scope)

    headers = [(b"x-forwarded-for", forwarded.encode()), (b"x-forwarded-proto", b"https")]
    scope = {"type": "http", "client": (peer, 1), "scheme": "http", "method": "GET", "path": "/", "headers": headers}
    settings = Settings(host="0.0.0.0")
    door = FrontDoor(app, settings, trusted_proxies(settings, space), frozenset())
    await door(scope, None, None)  # type: ignore[arg-type]
    return seen["client"][0], seen["scheme"]


@pytest.mark.parametrize(
    ("space", "peer", "forwarded", "client"),
    [
        (SPACE, "10.1.2.3", "203.0.113.9", "203.0.113.9"),
        (SPACE, "10.1.2.3", "6.6.6.6, 203.0.113.9, 10.9.9.9", "203.0.113.9"),  # what visitors claim comes first
        (SPACE, "203.0.113.9", "6.6.6.6", "203.0.113.9"),
        (None, "10.1.2.3", "203.0.113.9", "10.1.2.3"),
        (None, "127.0.0.1", "203.0.113.9", "203.0.113.9"),
    ],
)
def test_the_visitor_s_address_is_the_one_before_the_hub_s_proxies(
    space: Space | None, peer: str, forwarded: str, client: str
) -> None:
    found, scheme = asyncio.run(_who(space, peer, forwarded))
    assert found == client
    assert (scheme == "https") is (found != peer)
