"""An arena on a real database and the real gate, with an echo engine of its own behind every model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import pytest

from playground.arena.battles import Ring
from playground.arena.contract import Arena, Comparison, ComparisonView, Mode, SideRequest
from playground.arena.parts import ArenaParts
from playground.arena.service import ArenaService
from playground.catalog.catalog import Catalog
from playground.catalog.spec import ModelSpec
from playground.chat.service import ChatService
from playground.engines.contract import Engine, Progress, Tokenizer
from playground.library.library import Identity
from playground.moderation.fingerprint import Fingerprint
from playground.moderation.moderator import build_moderator
from playground.storage.comparisons import ComparisonStore
from playground.storage.conversations import ConversationStore
from playground.storage.database import Database
from playground.storage.decisions import DecisionStore
from playground.storage.duels import DuelStore
from playground.storage.migrations import migrate
from playground.storage.votes import VoteStore
from tests.catalogue import write_models
from tests.chat.conftest import Saying
from tests.postgres import join

FINGERPRINT = Fingerprint(b"k" * 32)
MODELS = ("quorvex-one", "zandrel-7b", "mibbart", "tolwick")


made = lru_cache(build_moderator)


class Engines:
    """An engine for every model; it keeps which were asked at the same time."""

    def __init__(self, engines: Mapping[str, Engine]) -> None:
        self.engines = dict(engines)
        self.order: list[str] = []
        self.held: set[str] = set()
        self.most = 0

    @contextmanager
    def acquire(
        self, spec: ModelSpec, progress: Progress | None = None, cancelled: Callable[[], bool] | None = None
    ) -> Iterator[Engine]:
        self.order.append(spec.id)
        self.held.add(spec.id)
        self.most = max(self.most, len(self.held))
        try:
            yield self.engines[spec.id]
        finally:
            self.held.discard(spec.id)

    def tokenizer(self, spec: ModelSpec) -> Tokenizer | None:
        return None


@dataclass
class Room:
    """Memory for so many models at once; `refused` fit not even alone."""

    places: int = 4
    refused: str = ""

    def fits_together(self, specs: Sequence[ModelSpec]) -> bool:
        return len(specs) <= self.places

    def refusal(self, spec: ModelSpec) -> str:
        return f"{spec.name} is too large. Choose a smaller model." if spec.id == self.refused else ""

    def taken(self, model_id: str) -> int:
        return 1234


def settled(arena: Arena, comparison: Comparison, owner: str = "anna") -> ComparisonView:
    """The comparison once every side has ended, and is shown."""
    view = arena.view(owner, comparison.id)
    deadline = time.monotonic() + 60
    while any(side.running for side in view.sides):
        assert time.monotonic() < deadline, "the comparison did not end"
        view = arena.wait(owner, comparison.id, view.version, 0.5)
    return view


@dataclass
class Hall:
    """An arena and what is behind it."""

    arena: ArenaService
    chat: ChatService
    engines: Engines
    room: Room
    database: Database
    folder: Path
    comparisons: ComparisonStore
    votes: VoteStore

    def named(self, *models: str, owner: str = "anna") -> Comparison:
        return self.arena.start(owner, Mode.NAMED, [SideRequest(name) for name in models or MODELS[:2]], "en")

    def blind(self, owner: str = "anna") -> Comparison:
        return self.arena.start(owner, Mode.BLIND, [], "en")

    def settle(self, comparison: Comparison, owner: str = "anna") -> ComparisonView:
        """Wait until every side has ended, and is shown."""
        return settled(self.arena, comparison, owner)

    def answered(self, comparison: Comparison, text: str = "What is a token?", owner: str = "anna") -> ComparisonView:
        self.arena.ask(owner, comparison.id, text)
        return self.settle(comparison, owner)


@pytest.fixture
def build_hall(tmp_path: Path) -> Iterator[Callable[..., Hall]]:
    """Make an arena: `engines` by model (the rest says the question), and whatever it is to have of its own."""
    built: list[Hall] = []

    def build(
        engines: Mapping[str, Engine] | None = None,
        *,
        policy: str = "standard",
        max_models: int = 4,
        room: Room | None = None,
        speed: float = 1e6,
        max_runs: int = 64,
        models: Mapping[str, Mapping[str, object]] | None = None,
        url: str = "",
    ) -> Hall:
        rows: Mapping[str, Mapping[str, object]] = models or {name: {} for name in MODELS}
        (tmp_path / "model").mkdir(exist_ok=True)
        rows = {name: {"path": str(tmp_path / "model"), **keys} for name, keys in rows.items()}
        catalog = Catalog.load([write_models(tmp_path / "models.toml", rows, engine="onnx")])
        for spec in list(catalog):
            catalog.put(replace(spec, name=spec.id.replace("-", " ").title(), family=spec.id.split("-")[0].title()))
        source = Engines({name: Saying() for name in rows} | dict(engines or {}))
        if "=" in policy:
            file = tmp_path / "policy.toml"
            file.write_text(policy, encoding="utf-8")
            policy = str(file)
        database = Database(url or f"sqlite:///{tmp_path / 'data' / 'playground.db'}")
        migrate(database)
        chats = ConversationStore(database)
        chat = ChatService(
            catalog=catalog,
            engines=source,
            moderator=made(policy),
            conversations=chats,
            decisions=DecisionStore(database),
            max_message_chars=32_000,
            max_runs=max_runs,
            neighbours=join(database, 5.0)[1] if database.shared else None,
        )
        chat.recover()
        room = room or Room()
        parts = ArenaParts(
            catalog=catalog,
            chat=chat,
            moderator=made(policy),
            engines=source,
            sides=ConversationStore(database, sides=True),
            chats=chats,
            comparisons=ComparisonStore(database),
            duels=DuelStore(database),
            votes=VoteStore(database),
            ring=Ring(catalog, lambda _: True, room),
            memory=room,
            identity=lambda spec: Identity(f"commit of {spec.id}", "int4", "onnx"),
            fingerprint=FINGERPRINT,
            max_models=max_models,
            chars_per_second=speed,
        )
        hall = Hall(
            ArenaService(parts), chat, source, room, database, tmp_path / "data", parts.comparisons, parts.votes
        )
        built.append(hall)
        return hall

    yield build
    for hall in built:
        hall.arena.close()
        hall.chat.close()
        hall.database.close()


@pytest.fixture
def hall(build_hall: Callable[..., Hall]) -> Hall:
    return build_hall()
