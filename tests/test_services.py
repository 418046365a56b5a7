"""Everything put together from settings, and every way in which that can fail."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from playground.config import Settings
from playground.domain import ChatRequest, Failed, Finished, FinishReason, SamplingParams, TextDelta
from playground.engines.choice import Setup
from playground.engines.registry import ENGINES
from playground.errors import ConfigError, MessageTooLong, PolicyError, StorageError
from playground.services import Services, build

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "transformers", "onnxruntime", "onnxruntime_genai", "optimum", "detoxify", "onnx", "gradio"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", default_model="echo")


def ask(services: Services, text: str = "hello") -> str:
    run = services.chat.start(ChatRequest("anna", "echo", text))
    assert run.wait(60)
    assert isinstance(run.snapshot().end, Finished)
    return run.snapshot().text


def test_a_question_is_answered_and_there_after_a_restart(settings: Settings) -> None:
    services = build(settings)
    assert ask(services, "Xin chào") == "Xin chào"
    services.close()
    again = build(settings)
    (conversation,) = again.chat.conversations("anna")
    assert [message.content for message in again.chat.thread("anna", conversation.id).messages] == ["Xin chào"] * 2
    again.close()
    again.close()


def test_closing_ends_what_is_running(settings: Settings) -> None:
    services = build(replace(settings, max_runs=1))
    runs = [services.chat.start(ChatRequest("anna", "echo", "x " * 10_000)) for _ in range(3)]
    services.close()
    assert all(run.done for run in runs)
    again = build(settings)
    reasons = {again.chat.thread("anna", run.conversation_id or "").messages[-1].finish_reason for run in runs}
    assert reasons <= {FinishReason.INTERRUPTED, FinishReason.LENGTH}
    again.close()


def test_a_worker_that_is_killed_leaves_the_partial_answer_and_a_retry(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENGINES, "echo", replace(ENGINES["echo"], in_worker=True))
    services = build(replace(settings, max_message_chars=1_000_000))
    text = "The fox went on and on. " * 20_000
    run = services.chat.start(ChatRequest("anna", "echo", text, params=SamplingParams(max_tokens=1_000_000)))
    next(event for event in run.events(timeout=60) if isinstance(event, TextDelta))
    (worker,) = services.pool.status()
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    assert run.wait(60)
    end = run.snapshot().end
    assert isinstance(end, Failed)
    assert end.code == "worker_died"
    question, answer = services.chat.thread("anna", run.conversation_id or "").messages
    assert (answer.finish_reason, answer.error) == (FinishReason.INTERRUPTED, "worker_died")
    assert answer.content == run.snapshot().text
    assert text.startswith(answer.content)
    again = ChatRequest("anna", "echo", None, conversation_id=run.conversation_id, parent_id=question.id)
    retried = services.chat.start(again)
    assert retried.wait(60)
    assert isinstance(retried.snapshot().end, Finished)
    services.close()


def test_building_loads_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from playground.config import Settings\n"
        "from playground.services import build\n"
        f"build(Settings(data_dir=Path({str(tmp_path)!r}))).close()\n"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=100, check=True
    )
    assert not HEAVY & set(loaded.stdout.split())


def test_an_operator_s_models_and_limits_are_used(settings: Settings, tmp_path: Path) -> None:
    models = tmp_path / "models.toml"
    models.write_text('[[models]]\nid = "echo"\nname = "My echo"\ndefaults = { max_tokens = 1 }', encoding="utf-8")
    services = build(replace(settings, models_file=models, max_message_chars=10))
    assert services.catalog.get("echo").name == "My echo"
    assert ask(services, "four more") == "four"
    with pytest.raises(MessageTooLong):
        ask(services, "eleven more")
    services.close()


def test_the_device_that_was_asked_for_is_used_or_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("playground.services.read_setup", Setup)
    for device, refused in (("auto", False), ("cpu", False), ("cuda", True)):
        services = build(replace(settings, device=device))
        run = services.chat.start(ChatRequest("anna", "pip", "Hello"))
        assert run.wait(60)
        end = run.snapshot().end
        assert isinstance(end, Failed) is refused
        if isinstance(end, Failed):
            assert "cannot run on CUDA: there is no NVIDIA driver here" in end.message
        services.close()


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"default_model": "gpt-9"}, ConfigError, "default_model: There is no model 'gpt-9'"),
        ({"policy": "nonsense"}, PolicyError, "nonsense"),
        ({"database_url": "nonsense"}, ConfigError, "database_url"),
        ({"models_file": Path("nowhere.toml")}, ConfigError, "nowhere.toml"),
    ],
)
def test_a_bad_setting_is_named(
    settings: Settings, changes: dict[str, object], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        build(replace(settings, **changes))  # type: ignore[arg-type]


def test_an_unknown_engine_is_named(settings: Settings, tmp_path: Path) -> None:
    models = tmp_path / "models.toml"
    models.write_text('[[models]]\nid = "echo"\nengine = "steam"', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"echo asks for an engine named steam; there are: echo"):
        build(replace(settings, models_file=models))


def test_a_data_folder_that_cannot_be_used_is_named(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"not a folder, and not a database either" * 200)
    with pytest.raises(StorageError, match="--data-dir"):
        build(replace(settings, data_dir=file))
    with pytest.raises(StorageError, match=r"file.*not a database"):
        build(replace(settings, database_url=f"sqlite:///{file}"))
