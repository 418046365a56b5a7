"""The real app as a process, with models and a policy of the tests' own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.served import Served, serve
from tests.catalogue import write_models
from tests.ui.browser import Browser, Tab, launched


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
    with browser.tab(slow_app) as tab:
        yield tab.open()
