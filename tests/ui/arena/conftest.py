"""The arena's page on an arena in memory over the real chat service; the echo engine answers."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from benchmarks.served import Served, serve
from playground.arena.contract import SideRequest
from playground.catalog.catalog import Catalog
from playground.services import Services
from playground.ui.arena.compare_view import ArenaView, refreshed
from tests.catalogue import write_models
from tests.ui.arena.memory import MemoryArena, MemoryBook
from tests.ui.browser import Browser, launched

OWNER = "0" * 32


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One Chromium for this folder."""
    with launched() as started:
        yield started


@pytest.fixture(scope="package")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The app on the models that ship, two that say the question, and one that takes its time over it."""
    rows: dict[str, dict[str, object]] = {
        "parrot": {},
        "mirror": {},
        "unhurried": {"engine_options": {"piece_chars": 1, "delay_seconds": 0.2}},
    }
    models = write_models(tmp_path_factory.mktemp("models") / "models.toml", rows)
    with serve("--models-file", str(models), "--max-models", "4") as served:
        yield served
        assert "Traceback" not in served.log.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """The models that ship."""
    return Catalog.load()


@pytest.fixture
def arena(services: Services) -> MemoryArena:
    """Blind battles are between the echo and itself: enough to see what is hidden."""
    return MemoryArena(services.chat, MemoryBook(), ("echo", "echo"))


@pytest.fixture
def view() -> ArenaView:
    """A fresh page with the echo twice."""
    return ArenaView(OWNER, (SideRequest("echo"), SideRequest("echo")))


def settled(view: ArenaView, arena: MemoryArena) -> ArenaView:
    """The view once every side has finished."""
    deadline = time.monotonic() + 30
    while view.busy:
        assert time.monotonic() < deadline
        time.sleep(0.02)
        view = refreshed(view, arena)
    return view
