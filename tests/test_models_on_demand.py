"""A first question to a model that is not here: fetched from a real server, loaded by the real engine, answered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.catalog.catalog import SHIPPED
from playground.config import Settings
from playground.domain import ChatRequest, Failed, Finished, FinishReason, Loading, SamplingParams, Stage
from playground.library.library import ModelState
from playground.services import Services, build
from tests.hub_stand_in import Fault, HubStandIn

PIP = SHIPPED[0].parents[1] / "embedded" / "pip" / "int8"
ROW = """
[[models]]
id = "far-pip"
name = "Far Pip"
family = "Pip"
engine = "auto"
context_length = 512
licence = "Apache-2.0"
languages = ["en"]
description = { en = "Pip from far away.", vi = "Pip từ xa." }
source = { repo = "o/pip", format = "genai" }
"""
REQUEST = ChatRequest("anna", "far-pip", "What is a token?", params=SamplingParams(temperature=0, max_tokens=8))


@pytest.fixture
def services(hub: HubStandIn, tmp_path: Path) -> Iterator[Services]:
    hub.add("o/pip", {path.name: path.read_bytes() for path in PIP.iterdir() if path.is_file()}, large={"model.onnx"})
    (tmp_path / "more.toml").write_text(ROW, encoding="utf-8")
    built = build(Settings(data_dir=tmp_path / "data", models_file=tmp_path / "more.toml", hub_endpoint=hub.endpoint))
    yield built
    built.close()


def test_the_first_question_fetches_the_model(services: Services, hub: HubStandIn) -> None:
    hub.faults.append(Fault("/cdn/", None, seconds_per_block=0.002))
    run = services.chat.start(REQUEST)
    stages = [event.stage for event in run.events(timeout=60) if isinstance(event, Loading)]
    assert isinstance(run.snapshot().end, Finished), run.snapshot().end
    assert Stage.DOWNLOADING in stages
    assert run.snapshot().text
    assert services.library.state(services.catalog.get("far-pip")) is ModelState.HERE
    asked = len(hub.seen)
    again = services.chat.start(REQUEST)
    assert again.wait(60)
    assert again.snapshot().text == run.snapshot().text
    assert len(hub.seen) == asked
    assert services.library.remove(services.catalog.get("far-pip")) > 1_000_000
    assert not services.pool.status()


def test_stop_works_while_it_is_fetched(services: Services, hub: HubStandIn) -> None:
    hub.faults.append(Fault("/resolve/", None, seconds_per_block=1.0))
    run = services.chat.start(REQUEST)
    for event in run.events(timeout=60):
        if isinstance(event, Loading):
            run.cancel()
    end = run.snapshot().end
    assert isinstance(end, Finished)
    assert end.reason is FinishReason.CANCELLED


def test_trouble_is_told_with_its_code(services: Services, hub: HubStandIn) -> None:
    hub.faults.append(Fault("/api/", None, 401, {"X-Error-Code": "GatedRepo"}))
    run = services.chat.start(REQUEST)
    assert run.wait(60)
    end = run.snapshot().end
    assert isinstance(end, Failed)
    assert (end.code, "agreement" in end.message) == ("access_needed", True)


def test_offline_is_a_setting(hub: HubStandIn, tmp_path: Path) -> None:
    (tmp_path / "more.toml").write_text(ROW, encoding="utf-8")
    settings = Settings(
        data_dir=tmp_path / "data", models_file=tmp_path / "more.toml", hub_endpoint=hub.endpoint, offline=True
    )
    services = build(settings)
    try:
        run = services.chat.start(REQUEST)
        assert run.wait(60)
        end = run.snapshot().end
        assert isinstance(end, Failed)
        assert end.code == "hub_unreachable"
        assert not hub.seen
    finally:
        services.close()
