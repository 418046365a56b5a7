"""A library on a folder of its own, a stand-in for the Hub, and a converter at a pace the test chooses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from playground.catalog.catalog import Catalog
from playground.catalog.hub import Hub
from playground.catalog.hub_client import HubClient, Patience
from playground.catalog.spec import AUTO, ModelSource, ModelSpec
from playground.domain import Loading, Stage
from playground.engines.contract import Progress
from playground.engines.conversion import ConversionRequest
from playground.engines.pool import LoadedModel
from playground.errors import Cancelled, ModelLoadError
from playground.library.library import Equipment, Library
from tests.hub_stand_in import HubStandIn

PATIENCE = Patience(attempts=3, first=0.01, longest=0.05, silence=5.0, answer=10.0)


class Converting:
    """A converter that copies sizes; it waits at `gate`, and refuses what `refuses` says."""

    def __init__(self) -> None:
        self.requests: list[ConversionRequest] = []
        self.refuses = ""
        self.gate = threading.Event()
        self.gate.set()

    def convert(self, request: ConversionRequest, progress: Progress, cancelled: Callable[[], bool]) -> None:
        self.requests.append(request)
        progress(Loading(Stage.CONVERTING, 0.5))
        request.target.mkdir()
        (request.target / "genai_config.json").write_text("{}")
        while not self.gate.wait(0.02):
            if cancelled():
                raise Cancelled("stopped")
        if self.refuses:
            raise ModelLoadError(self.refuses)


class Unloading:
    """Somebody who keeps models loaded, and says which were unloaded."""

    def __init__(self) -> None:
        self.unloaded: list[str] = []
        self.loaded: list[str] = []

    def status(self) -> list[LoadedModel]:
        return [LoadedModel(model_id, "ready", None, 0, 0) for model_id in self.loaded]

    def unload(self, model_id: str) -> None:
        self.unloaded.append(model_id)


def spec_of(repo: str = "o/m", model_id: str = "m", **changes: Any) -> ModelSpec:
    """A row for a repository of the stand-in; keys of `ModelSource` go there."""
    keys = {"revision", "format", "variant", "base"}
    source = ModelSource(repo=repo, **{key: changes.pop(key) for key in keys & set(changes)})
    facts: dict[str, Any] = {"name": "M", "family": "Llama", "engine": AUTO, "context_length": 4096, "licence": "MIT"}
    facts |= {"description": {"en": "A model.", "vi": "Một mô hình."}, "languages": ("en",), "source": source}
    return ModelSpec(id=model_id, **(facts | changes))


@pytest.fixture
def converter() -> Converting:
    return Converting()


@pytest.fixture
def loaded() -> Unloading:
    return Unloading()


LibraryFactory = Callable[..., Library]


@pytest.fixture
def make_library(hub: HubStandIn, tmp_path: Path, converter: Converting, loaded: Unloading) -> Iterator[LibraryFactory]:
    with ExitStack() as stack:

        def make(*specs: ModelSpec, offline: bool = False, token: str | None = None, **equipment: Any) -> Library:
            client = HubClient(hub.endpoint, token, offline=offline, patience=PATIENCE)
            facts = {"engines": ("onnx", "torch"), "converter": converter} | equipment
            library = Library(
                catalog=Catalog(specs), hub=Hub(client), folder=tmp_path, equipment=Equipment(**facts), loaded=loaded
            )
            stack.callback(library.close)
            return library

        yield make
