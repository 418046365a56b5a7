"""What the arena is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from playground.arena.battles import Memory, Ring
from playground.arena.pace import CHARS_PER_SECOND
from playground.catalog.catalog import Catalog
from playground.catalog.spec import ModelSpec
from playground.chat.answering import EngineSource, Preparation
from playground.chat.service import ChatService
from playground.library.library import Identity
from playground.moderation.contract import Moderator
from playground.storage.comparisons import ComparisonStore
from playground.storage.conversations import ConversationStore
from playground.storage.duels import DuelStore
from playground.storage.votes import VoteStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ArenaParts:
    """`sides` sees the sides' conversations, `chats` the ordinary ones.

    `identity` tells what exactly a model is on this machine. `max_models` is how many models may be loaded at once,
    `chars_per_second` how fast blind answers appear at most.
    """

    catalog: Catalog
    chat: ChatService
    moderator: Moderator
    engines: EngineSource
    models: Preparation | None = None
    sides: ConversationStore
    chats: ConversationStore
    comparisons: ComparisonStore
    duels: DuelStore
    votes: VoteStore
    ring: Ring
    memory: Memory
    identity: Callable[[ModelSpec], Identity]
    fingerprint: Callable[[str], str]
    max_models: int
    chars_per_second: float = CHARS_PER_SECOND
