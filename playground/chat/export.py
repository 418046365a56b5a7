"""Everything a person has here, to take away: what is stored, which is what the gate released. Piece by piece."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from playground.chat.service import ChatService
from playground.domain import Conversation, Message, utc_now
from playground.errors import UnknownConversation


def export_json(chat: ChatService, owner: str) -> Iterator[str]:
    """One JSON object: `exported_at` and `conversations`, each with the messages of all its branches."""
    yield f'{{"exported_at": {json.dumps(utc_now().isoformat())}, "conversations": ['
    for number, (conversation, messages) in enumerate(_all(chat, owner, whole=True)):
        facts = {
            "id": conversation.id,
            "title": conversation.title,
            "model": conversation.model_id,
            "system_prompt": conversation.system_prompt,
            "created_at": conversation.created_at.isoformat(),
            "updated_at": conversation.updated_at.isoformat(),
            "shown": conversation.leaf_id,
            "messages": [_message(message) for message in messages],
        }
        yield ("," if number else "") + "\n" + json.dumps(facts, ensure_ascii=False)
    yield "\n]}\n"


def export_markdown(chat: ChatService, owner: str) -> Iterator[str]:
    """A page for people: every conversation as it is shown, the newest first."""
    for conversation, messages in _all(chat, owner, whole=False):
        yield f"# {conversation.title}\n\n{conversation.created_at:%Y-%m-%d %H:%M} UTC\n\n"
        for message in messages:
            name = f"{message.role} ({message.model_id})" if message.model_id else message.role
            yield f"**{name}**\n\n{message.content}\n\n"
        yield "---\n\n"


EXPORTS: dict[str, tuple[Callable[[ChatService, str], Iterator[str]], str]] = {
    "json": (export_json, "application/json"),
    "md": (export_markdown, "text/markdown; charset=utf-8"),
}
"""By the ending of the file: how it is written, and its media type."""


def _all(chat: ChatService, owner: str, *, whole: bool) -> Iterator[tuple[Conversation, tuple[Message, ...]]]:
    for conversation in chat.conversations(owner):
        try:
            yield conversation, chat.messages(owner, conversation.id, whole=whole)
        except UnknownConversation:  # deleted meanwhile
            continue


def _message(message: Message) -> dict[str, Any]:
    facts = {
        "id": message.id,
        "parent": message.parent_id,
        "role": message.role,
        "content": message.content,
        "reasoning": message.reasoning,
        "model": message.model_id,
        "created_at": message.created_at.isoformat(),
        "finish_reason": message.finish_reason.value if message.finish_reason else None,
    }
    return {name: value for name, value in facts.items() if value not in (None, "")}
