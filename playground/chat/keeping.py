"""Where an answer is kept while it is written, and where one is not."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from playground.chat.run import Run
from playground.domain import FinishReason, Message
from playground.errors import DatabaseUnreachable

AWAY_SECONDS = 300.0
_AGAIN_SECONDS = 0.5


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


def keep_trying(store: Callable[[], None], run: Run) -> None:
    """Do what stores the end of a run. While the database's server is away it is tried again, for `AWAY_SECONDS` at
    most and not when this process ends: what was written is then not lost because a server was restarted.

    Raises StorageError.
    """
    deadline = time.monotonic() + AWAY_SECONDS
    while True:
        try:
            store()
        except DatabaseUnreachable:
            if time.monotonic() > deadline or run.stop_reason is FinishReason.INTERRUPTED:
                raise
            time.sleep(_AGAIN_SECONDS)
        else:
            return
