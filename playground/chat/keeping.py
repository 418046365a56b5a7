"""Where an answer is kept while it is written, and where one is not."""

from __future__ import annotations

from typing import Protocol

from playground.domain import Message


class AnswerStore(Protocol):
    """The part of `storage.conversations.ConversationStore` that writing an answer needs."""

    def save_progress(self, message_id: str, text: str, reasoning: str) -> None:
        """Keep the released text of an answer that is still being written. Raises StorageError."""
        ...

    def finish(self, answer: Message) -> None:
        """Keep an answer as it ended. Raises StorageError."""
        ...


class Unkept:
    """Keeps nothing: an answer that belongs to a client of the API leaves no trace here but the gate's decisions."""

    def save_progress(self, message_id: str, text: str, reasoning: str) -> None:
        """Nothing."""

    def finish(self, answer: Message) -> None:
        """Nothing."""
