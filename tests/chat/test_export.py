"""Everything a person has, as a file: all branches in JSON, what is shown in Markdown, only what is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.chat.export import EXPORTS, export_json, export_markdown
from playground.config import Settings
from playground.domain import ChatRequest
from playground.services import Services, build

ABUSE = "kill yourself you worthless piece of shit"


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    built = build(Settings(data_dir=tmp_path / "data", default_model="echo"))
    yield built
    built.close()


def ask(services: Services, owner: str, text: str | None, **more: str | None) -> str:
    run = services.chat.start(ChatRequest(owner, "echo", text, **more))  # type: ignore[arg-type]
    assert run.wait(60)
    return run.conversation_id or ""


def test_json_has_every_branch_and_markdown_the_one_on_display(services: Services) -> None:
    conversation = ask(services, "anna", "Xin chào")
    ask(services, "anna", "edited", conversation_id=conversation, parent_id=None)
    ask(services, "ben", "not yours")
    (kept,) = json.loads("".join(export_json(services.chat, "anna")))["conversations"]
    assert [message["content"] for message in kept["messages"]] == ["Xin chào", "Xin chào", "edited", "edited"]
    assert kept["shown"] == kept["messages"][-1]["id"]
    assert kept["messages"][1]["parent"] == kept["messages"][0]["id"]
    text = "".join(export_markdown(services.chat, "anna"))
    assert text.count("edited") == 2 + text.splitlines()[0].count("edited")
    assert "**assistant (echo)**" in text
    assert "not yours" not in text


def test_what_the_gate_blocked_is_in_no_form(services: Services) -> None:
    ask(services, "anna", "Hello")
    ask(services, "anna", ABUSE)
    for write, _ in EXPORTS.values():
        assert "worthless" not in "".join(write(services.chat, "anna"))


def test_nothing_is_an_empty_file_and_a_deleted_conversation_is_gone(services: Services) -> None:
    assert json.loads("".join(export_json(services.chat, "anna")))["conversations"] == []
    conversation = ask(services, "anna", "Hello")
    pieces = export_json(services.chat, "anna")
    next(pieces)
    services.chat.delete("anna", conversation)
    assert json.loads("{" + "".join(pieces).join(['"conversations": [', ""]))["conversations"] == []
    assert "".join(export_markdown(services.chat, "anna")) == ""
