"""The real API on a socket of this machine, with models and policies of the tests' own, and real clients."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from openai import OpenAI

from playground.api.doors import Doors
from playground.api.routes import PREFIX
from playground.config import Settings
from playground.server import build_app
from playground.services import Services, build
from playground.ui.endpoints import mount_endpoints
from tests.catalogue import write_models

OUTPUT_ONLY = """
extends = "standard"
[input]
profanity = "allow"
slur = "allow"
email = "allow"
[output]
profanity = { action = "block", threshold = 0.5 }
email = "redact"
"""
MODELS: dict[str, dict[str, object]] = {
    "slow": {"engine_options": {"piece_chars": 3, "delay_seconds": 0.03}},
    "thinker": {"reasoning_tags": ["<think>", "</think>"], "engine_options": {"piece_chars": 2}},
    "single": {"engine_options": {"piece_chars": 2, "delay_seconds": 0.02}},
}


@dataclass(frozen=True)
class Site:
    """A server, what is behind it, and clients of it."""

    services: Services
    address: str
    app: FastAPI
    clients: list[OpenAI] = field(default_factory=list)

    def openai(self, key: str = "none", **options: Any) -> OpenAI:
        """The real client, without retries of its own."""
        options = {"max_retries": 0, "timeout": 30, **options}
        self.clients.append(OpenAI(base_url=self.address + PREFIX, api_key=key, **options))
        return self.clients[-1]

    def post(self, path: str, body: object, **headers: str) -> httpx.Response:
        return httpx.post(f"{self.address}{PREFIX}{path}", json=body, headers=headers, timeout=30)

    def chat(self, text: str, model: str = "echo", **more: object) -> httpx.Response:
        return self.post("/chat/completions", {"model": model, "messages": [user(text)], **more})

    def stream(self, text: str, model: str = "echo", **more: object) -> list[Any]:
        """Every event of a stream: comments as texts, data as objects."""
        body = {"model": model, "messages": [user(text)], "stream": True, **more}
        return events(self.post("/chat/completions", body).text)

    def idle(self) -> bool:
        """Whether no engine is asked for anything."""
        return all(not model.active for model in self.services.pool.status())


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def events(text: str) -> list[Any]:
    found: list[Any] = []
    for block in text.split("\n\n"):
        if block.startswith("data: "):
            found.append(block[6:] if block == "data: [DONE]" else json.loads(block[6:]))
        elif block:
            assert block.startswith(": ")
            found.append(block)
    return found


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def settings_in(folder: Path, policy: str = OUTPUT_ONLY, **changes: Any) -> Settings:
    file = folder / "policy.toml"
    file.write_text(policy, encoding="utf-8")
    models = write_models(folder / "models.toml", MODELS)
    base = Settings(data_dir=folder / "data", models_file=models, policy=str(file), default_model="echo")
    return replace(base, **changes)


@contextlib.contextmanager
def served(settings: Settings, *, pages: bool = False, endpoints: bool = False) -> Iterator[Site]:
    """The API on a free port, with the named endpoints or without, or the whole app."""
    services = build(settings)
    try:
        with warnings.catch_warnings(), socket.create_server(("127.0.0.1", 0)) as listener:
            warnings.simplefilter("ignore")  # of Gradio about its own libraries; the tests of the page see them
            if pages:
                app = build_app(services)
            else:
                app = FastAPI()
                doors = Doors(services)
                app.mount(PREFIX, doors.api)
                if endpoints:
                    asyncio.run(mount_endpoints(app, doors.run_tool, doors.guard, doors.routes))
            server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none", timeout_graceful_shutdown=3))
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            try:
                until(lambda: server.started)
                site = Site(services, f"http://127.0.0.1:{listener.getsockname()[1]}", app)
                yield site
                for client in site.clients:
                    client.close()
            finally:
                server.should_exit = True
                thread.join(30)
    finally:
        services.close()


@pytest.fixture(scope="package")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The whole app, pages and all."""
    with served(settings_in(tmp_path_factory.mktemp("app")), pages=True) as site:
        yield site


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Serve the API alone with other settings, or with the pages and all that stands before them."""

    def begin(*, pages: bool = False, **changes: Any) -> Site:
        return stack.enter_context(served(settings_in(tmp_path, **changes), pages=pages))

    with contextlib.ExitStack() as stack:
        yield begin


@pytest.fixture
def serve_endpoints(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Serve the API and the named endpoints with other settings."""
    with contextlib.ExitStack() as stack:
        yield lambda **changes: stack.enter_context(served(settings_in(tmp_path, **changes), endpoints=True))
