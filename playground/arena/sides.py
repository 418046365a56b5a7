"""The conversations of sides: made new, made from another side's, and opened as ordinary chats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from playground.arena.contract import SideRequest
from playground.arena.parts import ArenaParts
from playground.chat.service import ChatService
from playground.domain import Conversation, Language, Message, new_id
from playground.errors import InvalidRequest
from playground.storage.comparisons import KeptComparison, KeptSide
from playground.storage.conversations import ConversationStore


class SideMaker:
    """`chat` is the chat service over the sides' conversations."""

    def __init__(self, parts: ArenaParts, chat: ChatService) -> None:
        self._parts = parts
        self._chat = chat

    def make(
        self,
        owner: str,
        comparison_id: str,
        side: SideRequest,
        language: Language,
        earlier: Sequence[Message],
    ) -> str:
        """A side's conversation that goes on with these turns, see `KeptSide.began`; returns its id.

        Its system prompt passes the gate: raises InvalidRequest when that says no, DetectorUnavailable when it cannot
        say anything; UnknownModel.
        """
        conversation = Conversation(
            owner, comparison_id=comparison_id, model_id=self._parts.catalog.get(side.model_id).id, params=side.params
        )
        if earlier:
            conversation = replace(conversation, created_at=earlier[-1].created_at)
        self._add(self._parts.sides, conversation, earlier)
        if side.system_prompt.strip():
            self._chat.configure(owner, conversation.id, system_prompt=side.system_prompt, language=language)
        return conversation.id

    def open_as_chat(self, kept: KeptComparison, side: KeptSide, messages: Sequence[Message]) -> str:
        """A copy of a side among its owner's chats; returns its id. Raises InvalidRequest when there is nothing yet."""
        if not messages:
            raise InvalidRequest("There is nothing on this side yet. Ask something first.")
        conversation = Conversation(
            kept.owner,
            title=kept.title,
            model_id=side.model_id,
            system_prompt=side.system_prompt,
            params=side.params,
        )
        self._add(self._parts.chats, conversation, messages)
        return conversation.id

    def _add(self, store: ConversationStore, conversation: Conversation, messages: Sequence[Message]) -> None:
        """A new conversation with a copy of these turns."""
        copied = _copies(messages)
        store.add(replace(conversation, leaf_id=copied[-1].id if copied else None), copied)
        for message, copy in zip(messages, copied, strict=True):
            self._chat.trails.copy(message.id, copy.id, conversation.id)


def _copies(messages: Sequence[Message]) -> list[Message]:
    """The same turns as other messages, one below the other."""
    copied: list[Message] = []
    for message in messages:
        copied.append(replace(message, id=new_id(), parent_id=copied[-1].id if copied else None))
    return copied
