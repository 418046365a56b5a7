"""The real app as a process, with models and a policy of the tests' own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.served import Served, serve
from tests.ui.browser import Browser, Tab, launched

ROW = """
[[models]]
id = {id}
name = {id}
family = "Echo"
engine = {engine}
context_length = 32768
licence = "Apache-2.0"
languages = ["en", "vi"]
description = {{ en = "For a test.", vi = "Để thử." }}
{more}
"""


def write_models(file: Path, models: Mapping[str, Mapping[str, object]], engine: str = "echo") -> Path:
    """A catalogue file: id -> further keys of the row. JSON's numbers, texts and lists are TOML's too."""
    rows = [
        ROW.format(
            id=json.dumps(model_id),
            engine=json.dumps(keys.get("engine", engine)),
            more="\n".join(f"{key} = {_toml(value)}" for key, value in keys.items() if key != "engine"),
        )
        for model_id, keys in models.items()
    ]
    file.write_text("".join(rows), encoding="utf-8")
    return file


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True)
class Site:
    """Where a browser finds the app."""

    url: str


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One Chromium for this folder."""
    with launched() as started:
        yield started


@pytest.fixture(scope="package")
def slow_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue with an echo that takes its time."""
    rows = {"unhurried": {"engine_options": {"piece_chars": 3, "delay_seconds": 0.04}}}
    return write_models(tmp_path_factory.mktemp("models") / "models.toml", rows)


@pytest.fixture(scope="package")
def slow_app(slow_models: Path) -> Iterator[Served]:
    """The app on that echo."""
    with serve("--default-model", "unhurried", "--models-file", str(slow_models)) as served:
        yield served
        assert "Traceback" not in served.log.read_text(encoding="utf-8")


@pytest.fixture
def tab(browser: Browser, slow_app: Served) -> Iterator[Tab]:
    """A fresh visitor with the page open; at the end nothing has gone wrong in it."""
    with browser.tab(Site(slow_app.address)) as tab:
        yield tab.open()
