"""A remote model in the whole product: the gate, the database and the page's figures work as for a model here."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from playground.chat.run import Run
from playground.config import Settings
from playground.domain import Blocked, ChatRequest, Failed, Finished, FinishReason, Message, TextDelta
from playground.errors import ConfigError
from playground.services import Services, build
from tests.chat.conftest import REMOTE_ROW
from tests.engines.remote.scripted_server import HEAD, ScriptedServer, answer, piece, refusal


def ask(services: Services, text: str = "hello", **more: Any) -> Run:
    run = services.chat.start(ChatRequest("anna", "far", text, **more))
    assert run.wait(60)
    return run


def last(services: Services, run: Run) -> Message:
    return services.chat.thread("anna", run.conversation_id or "").messages[-1]


def test_an_answer_is_shown_and_stored(
    serve: Callable[..., ScriptedServer], remote_house: Callable[..., Services]
) -> None:
    steps = [HEAD, piece(delta={"reasoning_content": "A greeting. "}), *answer("Hello ", "there.")[1:]]
    server = serve(steps)
    services = remote_house(server)
    run = ask(services)
    assert isinstance(run.snapshot().end, Finished)
    stored = last(services, run)
    assert (stored.content, stored.reasoning.strip()) == ("Hello there.", "A greeting.")
    assert stored.usage is not None
    assert (stored.usage.prompt_tokens, stored.usage.completion_tokens) == (7, 2)
    (line,) = services.pool.status()
    assert [health.label for health in line.servers] == [server.label]


def test_the_history_is_sent(serve: Callable[..., ScriptedServer], remote_house: Callable[..., Services]) -> None:
    server = serve(answer("One."), answer("Two."))
    services = remote_house(server)
    first = ask(services, system_prompt="Be brief.")
    ask(services, "and?", conversation_id=first.conversation_id, parent_id=first.message_id, system_prompt="Be brief.")
    assert [(turn["role"], turn["content"]) for turn in server.posts[1].body["messages"]] == [
        ("system", "Be brief."),
        ("user", "hello"),
        ("assistant", "One."),
        ("user", "and?"),
    ]


@pytest.mark.parametrize("channel", ["content", "reasoning_content"])
def test_what_the_gate_blocks_is_never_shown_or_stored(
    serve: Callable[..., ScriptedServer], remote_house: Callable[..., Services], channel: str, tmp_path: Path
) -> None:
    bad = [piece(delta={channel: part}) for part in ("All is well. You are a fu", "cking ", "idiot. ", "More.")]
    server = serve([HEAD, *bad, 30.0])
    services = remote_house(server)
    run = ask(services)
    assert isinstance(run.snapshot().end, Blocked)
    shown = "".join(getattr(event, "text", "") for event in run.events())
    assert "fucking" not in shown
    stored = b"".join(file.read_bytes() for file in (tmp_path / "data").glob("playground.db*"))
    assert b"fucking" not in stored
    until_gone = threading.Event()
    for _ in range(500):
        if server.gone:
            break
        until_gone.wait(0.02)
    assert server.gone == 1  # the connection is closed: the server need not go on


def test_a_cut_answer_is_kept_and_can_be_asked_again(
    serve: Callable[..., ScriptedServer], remote_house: Callable[..., Services]
) -> None:
    services = remote_house(serve([HEAD, piece("The first sentence. And the")], answer("A whole answer.")))
    run = ask(services)
    end = run.snapshot().end
    assert isinstance(end, Failed)
    assert end.code == "answer_cut"
    stored = last(services, run)
    assert (stored.content, stored.finish_reason) == ("The first sentence. And the", FinishReason.INTERRUPTED)
    again = ChatRequest("anna", "far", None, conversation_id=run.conversation_id, parent_id=run.user_message_id)
    retried = services.chat.start(again)
    assert retried.wait(60)
    assert retried.snapshot().text == "A whole answer."


def test_a_refusal_is_told_and_none_of_the_server_s_words_are_shown(
    serve: Callable[..., ScriptedServer], remote_house: Callable[..., Services]
) -> None:
    services = remote_house(serve(refusal(500, {"error": {"message": "you fucking idiot"}})))
    run = ask(services)
    end = run.snapshot().end
    assert isinstance(end, Failed)
    assert end.code == "server_failed"
    assert "idiot" not in end.message
    assert last(services, run).error == "server_failed"


def test_stop_ends_the_request_while_the_server_thinks(
    serve: Callable[..., ScriptedServer], remote_house: Callable[..., Services]
) -> None:
    server = serve([60.0])
    services = remote_house(server)
    run = services.chat.start(ChatRequest("anna", "far", "hello"))
    pause = threading.Event()
    while not server.open:
        pause.wait(0.02)
    run.cancel()
    assert run.wait(10)
    assert last(services, run).finish_reason is FinishReason.CANCELLED
    assert not any(isinstance(event, TextDelta) for event in run.events())


def test_remote_models_take_nobody_s_place(
    serve: Callable[..., ScriptedServer], remote_house: Callable[..., Services]
) -> None:
    services = remote_house(serve(answer("ok")))
    specs = [services.catalog.get(name) for name in ("far", "echo")]
    with services.pool.acquire(specs[0]), services.pool.acquire(specs[1]):
        assert {line.model_id for line in services.pool.status()} == {"far", "echo"}


def test_a_remote_model_without_servers_is_refused_at_the_start(tmp_path: Path) -> None:
    models = tmp_path / "models.toml"
    models.write_text(REMOTE_ROW, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"far has no .*servers.*Correct its catalogue entry"):
        build(Settings(data_dir=tmp_path / "data", models_file=models))
    models.write_text('[[models]]\nid = "echo"\nservers = [{ url = "https://x/v1" }]', encoding="utf-8")
    with pytest.raises(ConfigError, match="echo names servers, which the engine echo does not use"):
        build(Settings(data_dir=tmp_path / "data", models_file=models))
