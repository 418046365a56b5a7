"""The real services on the echo engine, whose operator keeps reported texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from playground.chat.run import Run
from playground.config import Settings
from playground.domain import ChatRequest, Message
from playground.services import Services, build

BuildServices = Callable[..., Services]


@pytest.fixture
def build_services(isolated: Path) -> Iterator[BuildServices]:
    """Make services; keywords are settings, `policy` may be the text of a policy file."""
    built: list[Services] = []

    def make(**settings: object) -> Services:
        policy = str(settings.get("policy", "standard"))
        if "=" in policy:
            (isolated / "mine.toml").write_text(policy, encoding="utf-8")
            settings["policy"] = str(isolated / "mine.toml")
        chosen = Settings(data_dir=isolated / f"data{len(built)}", default_model="echo", keep_flagged_text=True)
        built.append(build(replace(chosen, **settings)))  # type: ignore[arg-type]
        return built[-1]

    yield make
    for services in built:
        services.close()


@pytest.fixture
def services(build_services: BuildServices) -> Services:
    return build_services()


def ask(services: Services, text: str, owner: str = "anna") -> Run:
    """Ask the echo, and wait for the end."""
    run = services.chat.start(ChatRequest(owner, "echo", text))
    assert run.wait(60)
    return run


def messages(services: Services, run: Run) -> tuple[Message, ...]:
    """What is stored of it."""
    assert run.conversation_id
    return services.chat.thread(run.owner, run.conversation_id).messages


def stored_bytes(services: Services) -> bytes:
    """Everything on the disk, the log of the database included."""
    return b"".join(file.read_bytes() for file in sorted(services.settings.data_dir.iterdir()))
