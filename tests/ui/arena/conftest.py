"""The arena's page on an arena in memory over the real chat service; the echo engine answers."""

from __future__ import annotations

import time

import pytest

from playground.arena.contract import SideRequest
from playground.catalog.catalog import Catalog
from playground.services import Services
from playground.ui.arena.compare_view import ArenaView, refreshed
from tests.ui.arena.memory import MemoryArena, MemoryBook

OWNER = "0" * 32


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
