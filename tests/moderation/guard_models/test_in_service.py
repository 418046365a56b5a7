"""A guard in the policy of a whole playground, in a process of its own beside the chat model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.config import Settings
from playground.domain import Blocked, ChatRequest, Direction, Finished, Verdict
from playground.errors import DetectorUnavailable, PolicyError
from playground.services import Services, build, choose_detectors, choose_policy

POLICY = """
extends = "standard"
unit = "answer"
time_limit = 120

[detectors]
input = ["words", "qwen3guard-0.6b"]
output = ["words", "qwen3guard-0.6b"]
"""
MODELS = """
[[models]]
id = "qwen3guard-gen-0.6b"
name = "Qwen3Guard-Gen 0.6B"
family = "qwen3guard"
engine = "onnx"
path = '{folder}'
context_length = 560
licence = "Apache-2.0"
languages = ["en", "vi"]
description = {{ en = "A guard.", vi = "Một mô hình canh gác." }}

[[models]]
id = "backwards"
name = "Backwards"
family = "test"
engine = "echo"
context_length = 1024
licence = "Apache-2.0"
languages = ["en"]
description = {{ en = "Echo.", vi = "Tiếng vọng." }}
engine_options = {{ backwards = true }}
"""


def settings_for(tmp_path: Path, folder: Path) -> Settings:
    policy, models = tmp_path / "guarded.toml", tmp_path / "models.toml"
    policy.write_text(POLICY, encoding="utf-8")
    models.write_text(MODELS.format(folder=folder), encoding="utf-8")
    return Settings(
        data_dir=tmp_path / "data",
        default_model="backwards",
        policy=str(policy),
        models_file=models,
        max_models=1,  # the chat model's place; a guard does not need it
        kv_cache_mb=64,
        engine_threads=1,
    )


@pytest.fixture
def services(tmp_path: Path, qwen_folder: Path) -> Iterator[Services]:
    built = build(settings_for(tmp_path, qwen_folder))
    yield built
    built.close()


def ask(services: Services, text: str) -> tuple[str, Verdict | None]:
    run = services.chat.start(ChatRequest("anna", "backwards", text))
    assert run.wait(200)
    snapshot = run.snapshot()
    assert isinstance(snapshot.end, Blocked | Finished)
    return snapshot.text, snapshot.end.verdict if isinstance(snapshot.end, Blocked) else None


def test_both_sides_are_judged_and_one_place_for_chat_models_is_enough(services: Services) -> None:
    assert ask(services, "the river") == ("revir eht", None)
    text, verdict = ask(services, "the bomb river")
    assert (text, verdict and verdict.direction) == ("", Direction.INPUT)
    assert verdict is not None
    assert verdict.decisive is not None
    finding = verdict.decisive.finding
    assert (finding.category, finding.detector) == ("harm_violence", "qwen3guard-0.6b")
    assert finding.version.startswith("qwen3guard-gen-0.6b@")
    text, verdict = ask(services, "revir bmob eht")  # said backwards by the model
    assert (text, verdict and verdict.direction) == ("", Direction.OUTPUT)
    (guard,) = services.guard_pool.status()
    assert (guard.model_id, guard.pid is not None) == ("qwen3guard-gen-0.6b", True)
    assert [loaded.model_id for loaded in services.pool.status()] == ["backwards"]


def test_without_the_model_nothing_passes_and_it_is_said_why(tmp_path: Path) -> None:
    services = build(settings_for(tmp_path, tmp_path / "nowhere"))
    text, verdict = ask(services, "the river")
    assert text == ""
    assert verdict is not None
    assert verdict.unavailable
    assert verdict.degraded == ("qwen3guard-0.6b",)
    services.close()


def test_guards_of_one_s_own_come_from_the_data_folder(tmp_path: Path) -> None:
    row = '[[guards]]\nname = "sea-guard"\nmodel = "sea-guard-8b"\nform = "llama-guard-3"\n'
    (tmp_path / "guards.toml").write_text(row, encoding="utf-8")
    detectors = choose_detectors(Settings(data_dir=tmp_path))
    assert {"sea-guard", "llama-guard-3-1b", "shieldgemma-9b"} < set(detectors)
    with pytest.raises(DetectorUnavailable, match="sea-guard-8b is not in the catalogue"):
        detectors["sea-guard"]().scan("hello")
    (tmp_path / "guards.toml").write_text(row.replace("llama-guard-3", "llama-guard-9"), encoding="utf-8")
    with pytest.raises(PolicyError, match=r"guards.toml, \[\[guards\]\] 1: form is 'llama-guard-9'"):
        choose_detectors(Settings(data_dir=tmp_path))


def test_no_shipped_policy_names_a_guard() -> None:
    guards = {name for name in choose_detectors(Settings()) if "guard" in name or "gemma" in name}
    assert len(guards) == 10
    for name in ("standard", "strict", "lenient", "off"):
        policy = choose_policy(Settings(policy=name), choose_detectors(Settings()))
        assert not guards & {detector for way in Direction for detector in policy.detectors[way]}
