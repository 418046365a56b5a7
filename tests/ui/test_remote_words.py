"""What the page says about a model before anybody writes to it: where it runs, and whether that is this machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from playground.config import Settings
from playground.services import build
from playground.ui.app import create_app
from tests.ui.test_app import Tab

ROW = """
[[models]]
id = "far"
name = "Far"
family = "Far"
engine = "remote"
context_length = 8192
licence = "MIT"
languages = ["en"]
description = {{ en = "Far.", vi = "Xa." }}
servers = [{{ url = "{url}" }}]
"""
ELSEWHERE, HERE = "https://gpu.example.org/v1", "http://127.0.0.1:9/v1"


@pytest.mark.parametrize(
    ("url", "policy", "language", "words"),
    [
        (ELSEWHERE, "standard", "en", ("your messages are sent there. Every", "this machine")),
        (ELSEWHERE, "off", "en", ("It runs on gpu.example.org: your messages are sent there.", "screened")),
        (ELSEWHERE, "standard", "vi", ("tin nhắn của bạn được gửi đến đó", "trên máy này")),
        (HERE, "standard", "en", ("It runs on this machine, and every", "sent there")),
    ],
)
def test_the_welcome_is_true(tmp_path: Path, url: str, policy: str, language: str, words: tuple[str, str]) -> None:
    models = tmp_path / "models.toml"
    models.write_text(ROW.format(url=url), encoding="utf-8")
    settings = Settings(data_dir=tmp_path / "data", models_file=models, default_model="far", policy=policy)
    services = build(settings)
    with TestClient(create_app(services)) as client:
        shown = Tab(client, language).raw
    services.close()
    said, unsaid = words
    assert said in shown
    assert unsaid not in shown
