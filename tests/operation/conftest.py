"""The playground's health and figures around an application of the test's own, or around the API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from playground.api.routes import PREFIX, create_api
from playground.config import Settings
from playground.operation.access import Reader
from playground.operation.ending import Ending
from playground.operation.health import health_routes
from playground.operation.readiness import Readiness
from playground.operation.requests import Reception
from playground.services import Services, build


@dataclass(frozen=True)
class Watched:
    """Services with what watches over them. `client` seems to come from elsewhere, `here` from this machine."""

    services: Services
    ending: Ending
    readiness: Readiness
    client: TestClient
    here: TestClient

    def figures(self) -> str:
        return str(self.here.get("/metrics").raise_for_status().text)


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Callable[..., Watched]]:
    """Build services with these settings."""
    built: list[Services] = []

    def make(**changes: object) -> Watched:
        services = build(Settings(data_dir=tmp_path / "data", default_model="echo", **changes))  # type: ignore[arg-type]
        built.append(services)
        ending = Ending()
        readiness = Readiness(services, ending)
        routes = health_routes(readiness, services.metrics, Reader(services.settings))
        app = FastAPI(routes=routes)
        app.mount(PREFIX, create_api(services))
        app.add_middleware(Reception, metrics=services.metrics, ending=ending)
        elsewhere = TestClient(app, base_url="http://play.example", client=("203.0.113.7", 1234))
        here = TestClient(app, base_url="http://127.0.0.1:7860", client=("127.0.0.1", 1234))
        return Watched(services, ending, readiness, elsewhere, here)

    yield make
    for services in built:
        services.close()


@pytest.fixture
def watched(watch: Callable[..., Watched]) -> Watched:
    """The playground as it is by default."""
    return watch()
