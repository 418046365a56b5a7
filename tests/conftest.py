"""Every test runs with a home of its own, without the network, and without settings from outside."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.hub_stand_in import HubStandIn
from tests.postgres import PostgresServer

# A run says the same twice, and a slow machine fails nothing; `--hypothesis-profile=search` tries new examples.
settings.register_profile("search", deadline=None)
settings.register_profile("same", deadline=None, derandomize=True)
settings.load_profile("same")

LOOPBACK = {"127.0.0.1", "::1", "localhost", "0.0.0.0"}


@pytest.fixture(autouse=True)
def isolated(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh working directory and home; no PLAYGROUND_ variables; connections to loopback only."""
    for name in [name for name in os.environ if name.startswith("PLAYGROUND_")]:
        monkeypatch.delenv(name)
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    monkeypatch.chdir(folder)
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in LOOPBACK:
            raise AssertionError(f"a test tried to reach {address[0]}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    return folder


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubStandIn]:
    """A Hub on loopback, and nobody logged in to it."""
    from huggingface_hub import close_session  # noqa: PLC0415  after the environment is set

    monkeypatch.delenv("HF_TOKEN", raising=False)
    with HubStandIn() as server:
        yield server
        close_session()  # the Hub's own library keeps its connections for the whole process


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL for all tests of this process, started by the first that needs it."""
    server = PostgresServer()
    yield server
    server.close()
