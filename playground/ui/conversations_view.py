"""The list of conversations as plain data. No Gradio here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from playground.domain import Conversation
from playground.ui.words import Words

LONGEST_LIST = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """One conversation. `updated` is seconds since 1970: the browser groups by its own days."""

    id: str
    title: str
    updated: float


@dataclass(frozen=True, slots=True)
class ConversationsView:
    """The newest conversations first. `query` tells the page which search this answers."""

    items: tuple[Entry, ...]
    active: str | None
    query: str = ""


def listed(
    conversations: Sequence[Conversation], active: str | None, words: Words, query: str = ""
) -> ConversationsView:
    """The list for the page, at most `LONGEST_LIST` long; older conversations are found by searching."""
    items = tuple(
        Entry(one.id, one.title or words("conversations.untitled"), one.updated_at.timestamp())
        for one in conversations[:LONGEST_LIST]
    )
    return ConversationsView(items, active, query)
