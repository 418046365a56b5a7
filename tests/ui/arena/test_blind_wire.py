"""Nothing that a browser receives before the vote tells who answers: every byte of a session is looked at.

Two models with engines of their own, one quick and one slow, say who they are in ten ways, cut into pieces of every
size, over the real pages on a socket. One thinks in tags that its row names, the other in tags that no row names.
"""

from __future__ import annotations

import json
import re
import socket
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from benchmarks.page_client import TIMEOUT, PageClient
from playground.arena.battles import Ring
from playground.config import Settings
from playground.domain import SamplingParams
from playground.engines.contract import Delta, Progress, Prompt
from playground.engines.registry import ENGINES, EngineKind
from playground.errors import EngineError
from playground.server import build_app
from playground.services import Services, build
from playground.text import fold
from tests.arena.test_blind import SAYINGS
from tests.catalogue import write_models
from tests.chat.conftest import Saying

MODELS = {"quorvex-one": ("<think>", "</think>"), "zandrel-7b": ("[THINK]", "[/THINK]")}
TELLING = ("quorvex", "zandrel", "acme", " 7b", "zebrathought", "[think", "/think>", "9 gib", "cuda:0")
FIGURES = (
    "tokens/s", "model_id", "first_token", "completion_tokens", "memory_bytes", "text_hash", "elapsed_ms",
)  # fmt: skip
_RECEIPT = re.compile(r'receipt\\*":\s*\\*"[^"\\]')  # one that is not empty
# Drawn by chance, and so are the two first characters of one: " 7b" stands in every 256th header X-Request-ID.
_ID = re.compile(r"\b[0-9a-f]{32}\b|\b\d{4}-\d\d-\d\dT[\d:.+]+")


@dataclass
class Script:
    """What both models say next, and in what pieces; `broken` is the model that fails instead, if any."""

    says: str = ""
    piece: int = 3
    broken: str = ""


class Actor(Saying):
    """Thinks aloud in its own tags, then says what the script has."""

    def __init__(self, model_id: str, script: Script) -> None:
        super().__init__()
        self._model_id = model_id
        self._script = script

    def generate(self, prompt: Prompt, params: SamplingParams, progress: Progress | None = None) -> Iterator[Delta]:
        if self._script.broken == self._model_id:
            raise EngineError(f"{self._model_id} by Acme needs 9 GiB of memory on cuda:0.")
        opens, closes = MODELS[self._model_id]
        slow = self._model_id == "zandrel-7b"
        says = f"{opens}zebrathought{' of mine' * 9 * slow}{closes}\n\n{self._script.says}"
        return Saying(self._script.piece, 0.002 * slow, says).generate(prompt, params, progress)


class Tap(httpx.HTTPTransport):
    """Keeps the head and the body of every answer."""

    def __init__(self, kept: bytearray) -> None:
        super().__init__()
        self._kept = kept

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        for name, value in response.headers.raw:
            self._kept += name + b": " + value + b"\n"
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=_Kept(response.stream, self._kept),  # type: ignore[arg-type]
            extensions=response.extensions,
        )


class _Kept(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream, kept: bytearray) -> None:
        self._stream = stream
        self._kept = kept

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            self._kept += chunk
            yield chunk

    def close(self) -> None:
        self._stream.close()


@dataclass
class Voter(PageClient):
    """A tab whose every byte from the server is kept."""

    wire: bytearray = field(default_factory=bytearray)
    loaded: int = 0

    def __post_init__(self) -> None:
        headers = {"Accept-Encoding": "identity"}
        self.http = httpx.Client(
            base_url=self.address, timeout=TIMEOUT, follow_redirects=True, headers=headers, transport=Tap(self.wire)
        )
        self.open()
        self.loaded = len(self.wire)

    def battle(self, question: str) -> dict[str, Any]:
        """Ask in a blind battle and read to the end; the stage then."""
        self.ask(question)
        while self.value("stage")["busy"]:
            self.fire("stage", "follow")
        return dict(self.value("stage"))

    def telling(self) -> list[str]:
        """What of `TELLING` any byte so far holds, and what of `FIGURES` (the page's own words) since it was loaded."""
        every, since = (_ID.sub("#", read(wire)) for wire in (self.wire, self.wire[self.loaded :]))
        letters = "".join(filter(str.isalnum, every))
        names = [word for word in TELLING if word in every or (word.isalpha() and word in letters)]
        return names + [word for word in FIGURES if word in since] + _RECEIPT.findall(since)


def read(wire: bytes) -> str:
    """Bytes as whoever looks for a name reads them: with JSON's escapes read, and without accents."""
    return fold(re.sub(r"\\u([0-9a-f]{4})", lambda match: chr(int(match[1], 16)), wire.decode(errors="replace")))


@contextmanager
def served(services: Services) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Gradio about its own libraries
        config = uvicorn.Config(build_app(services), log_config=None, ws="none", timeout_graceful_shutdown=3)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)


@pytest.fixture(scope="module")
def script() -> Script:
    return Script()


@pytest.fixture(scope="module")
def address(script: Script, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("wire")
    rows: dict[str, dict[str, object]] = {name: {"engine": f"actor-{name}"} for name in MODELS}
    rows["quorvex-one"]["reasoning_tags"] = MODELS["quorvex-one"]
    with pytest.MonkeyPatch.context() as patch:
        for name in MODELS:
            kind = EngineKind(lambda spec, *_: Actor(spec.id, script), in_worker=False)
            patch.setitem(ENGINES, f"actor-{name}", kind)  # type: ignore[misc]
        patch.setattr(Ring, "models", lambda ring: [ring.catalog.get(name) for name in MODELS])
        settings = Settings(
            offline=True, data_dir=folder / "data", models_file=write_models(Path(folder) / "models.toml", rows)
        )
        services = build(settings)
        try:
            with served(services) as at:
                yield at
        finally:
            services.close()


def alike(card: dict[str, Any]) -> str:
    """A column without what every column has of its own: its letter, and identifiers drawn by chance."""
    shared = {key: value for key, value in card.items() if key not in {"position", "letter", "name"}}
    return _ID.sub("#", json.dumps(shared, sort_keys=True)).replace(f"nswer {card['letter']}", "nswer #")


@pytest.mark.parametrize("piece", [1, 2, 3, 7])
def test_ten_ways_to_say_who_one_is_leave_no_byte_on_the_wire(address: str, script: Script, piece: int) -> None:
    script.piece, script.broken = piece, ""
    with Voter(address, root="/arena", query="tab=battle") as voter:
        for says in SAYINGS:
            script.says = says
            stage = voter.battle("Who are you?")
            left, right = stage["cards"]
            assert "▇" in left["text"]
            assert alike(left) == alike(right), "the same words look the same, whoever says them"
        assert stage["ballot"]["open"]
        assert not voter.telling()
        voter.fire("stage", "vote", data={"winner": "tie"})
        assert {"quorvex", "zandrel", "acme"} <= set(voter.telling()), "the wire is read well enough to see a name"
        assert not voter.value("stage")["ballot"]["note"], "nothing slipped through"


@pytest.mark.parametrize("broken", MODELS)
def test_a_failure_leaves_nothing_of_the_model_on_the_wire(address: str, script: Script, broken: str) -> None:
    script.piece, script.says, script.broken = 3, SAYINGS[0], broken
    with Voter(address, root="/arena", query="tab=battle") as voter:
        stage = voter.battle("Who are you?")
        assert not stage["ballot"]["open"]
        assert not voter.telling()
