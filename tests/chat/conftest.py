"""A whole chat on a real database and the real gate, with the echo engine at a pace the test chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from playground.catalog.catalog import Catalog
from playground.catalog.spec import ModelSpec
from playground.chat.run import Run
from playground.chat.service import ChatService
from playground.config import Settings
from playground.domain import ChatRequest, Message, SamplingParams
from playground.engines.contract import Capabilities, Delta, Engine, Progress, Prompt, Tokenizer, Turn
from playground.engines.echo_engine import EchoEngine
from playground.moderation.moderator import build_moderator
from playground.services import Services, build
from playground.storage.conversations import ConversationStore
from playground.storage.database import Database
from playground.storage.decisions import DecisionStore
from playground.storage.migrations import migrate
from tests.engines.remote.scripted_server import ScriptedServer

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

REMOTE_ROW = """
[[models]]
id = "far"
name = "Far"
family = "Far"
engine = "remote"
context_length = 8192
licence = "MIT"
languages = ["en"]
description = { en = "Far.", vi = "Xa." }
engine_options = { rounds = 1, between_tokens_seconds = 20 }
"""
REMOTE_POLICY = """
extends = "standard"
[input]
profanity = "allow"
[output]
profanity = { action = "block", threshold = 0.5 }
email = "redact"
"""


class Saying:
    """The echo engine; with `says` it repeats that instead of the question. It counts how often it was asked."""

    def __init__(self, piece_chars: int = 4, delay_seconds: float = 0.0, says: str | None = None) -> None:
        self.echo = EchoEngine(piece_chars=piece_chars, delay_seconds=delay_seconds)
        self.says = says
        self.prompts: list[Prompt] = []

    @property
    def capabilities(self) -> Capabilities:
        return self.echo.capabilities

    def generate(self, prompt: Prompt, params: SamplingParams, progress: Progress | None = None) -> Iterator[Delta]:
        self.prompts.append(prompt)
        said = prompt if self.says is None else Prompt((Turn("user", self.says),))
        return self.echo.generate(said, params, progress)

    def score(self, token_ids: Sequence[int]) -> list[float]:
        return self.echo.score(token_ids)

    def close(self) -> None:
        self.echo.close()


class OneEngine:
    """An engine source with one engine for every model."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def acquire(
        self, spec: ModelSpec, progress: Progress | None = None, cancelled: Callable[[], bool] | None = None
    ) -> Iterator[Engine]:
        yield self.engine

    def tokenizer(self, spec: ModelSpec) -> Tokenizer | None:
        return None


@dataclass
class House:
    """A chat service and what is behind it."""

    chat: ChatService
    engine: Engine
    store: ConversationStore
    decisions: DecisionStore
    database: Database
    folder: Path

    def ask(self, text: str | None, after: Run | None = None, **changes: object) -> Run:
        """Ask as `anna`, as a follow-up of an earlier run if one is given."""
        request = ChatRequest("anna", "echo", text)
        if after is not None:
            parent = after.message_id if text is not None else after.user_message_id
            request = replace(request, conversation_id=after.conversation_id, parent_id=parent)
        return self.chat.start(replace(request, **changes))  # type: ignore[arg-type]

    def answer(self, text: str | None, after: Run | None = None, **changes: object) -> Run:
        """Ask and wait for the end."""
        run = self.ask(text, after, **changes)
        assert run.wait(60)
        return run

    def messages(self, run: Run) -> tuple[Message, ...]:
        assert run.conversation_id is not None
        return self.chat.thread("anna", run.conversation_id).messages

    def stored_bytes(self) -> bytes:
        """Everything on the disk."""
        return b"".join(file.read_bytes() for file in sorted(self.folder.iterdir()))


@pytest.fixture
def build_house(tmp_path: Path) -> Iterator[Callable[..., House]]:
    """Make a chat: `engine`, `policy` (TOML text or a name), `max_runs`, `catalog`."""
    built: list[House] = []

    def build(
        engine: Engine | None = None,
        policy: str = "standard",
        max_runs: int = 64,
        catalog: Catalog | None = None,
        folder: str = "data",
    ) -> House:
        engine = engine or Saying()
        if "=" in policy:
            file = tmp_path / "policy.toml"
            file.write_text(policy, encoding="utf-8")
            policy = str(file)
        database = Database(f"sqlite:///{tmp_path / folder / 'playground.db'}")
        migrate(database)
        store, decisions = ConversationStore(database), DecisionStore(database)
        chat = ChatService(
            catalog=catalog or Catalog.load(),
            engines=OneEngine(engine),
            moderator=build_moderator(policy),
            conversations=store,
            decisions=decisions,
            max_message_chars=32_000,
            max_runs=max_runs,
        )
        chat.recover()
        built.append(House(chat, engine, store, decisions, database, tmp_path / folder))
        return built[-1]

    yield build
    for house in built:
        house.chat.close()
        house.database.close()


@pytest.fixture
def house(build_house: Callable[..., House]) -> House:
    return build_house()


@pytest.fixture
def serve() -> Iterator[Callable[..., ScriptedServer]]:
    started: list[ScriptedServer] = []

    def start(*replies: Any) -> ScriptedServer:
        started.append(ScriptedServer(replies))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def remote_house(tmp_path: Path) -> Iterator[Callable[..., Services]]:
    """The services on a catalogue with one remote model, `options` being some of its `engine_options`."""
    built: list[Services] = []

    def make(*servers: ScriptedServer, options: str = "connect_seconds = 10") -> Services:
        models, policy = tmp_path / "models.toml", tmp_path / "policy.toml"
        rows = [f'[[models.servers]]\nurl = "{server.url}"\n' for server in servers]
        models.write_text(REMOTE_ROW.replace("rounds = 1", f"rounds = 1, {options}") + "".join(rows), encoding="utf-8")
        policy.write_text(REMOTE_POLICY, encoding="utf-8")
        settings = Settings(data_dir=tmp_path / "data", models_file=models, policy=str(policy), default_model="far")
        built.append(build(settings))
        return built[-1]

    yield make
    for services in built:
        services.close()
