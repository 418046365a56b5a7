"""The other app processes of this playground, as the runs of this one know them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from playground.chat.run import Run


class Neighbours(Protocol):
    """Processes that share a database. `shared`: there may be others at all."""

    shared: bool

    def start(self) -> None:
        """From now on the others know of this process. May be called twice. Raises StorageError."""
        ...

    def claim(self, owner: str, conversation_id: str, holder: object) -> None:
        """Keep a conversation for a run of this process. Raises Busy when another one writes there, StorageError."""
        ...

    def begin(self, run: Run, conversation_id: str) -> None:
        """The run for which the conversation was kept holds it from now on. Never raises."""
        ...

    def release(self, conversation_id: str, holder: object) -> None:
        """Nothing is written there any more, if this is who holds it. Never raises."""
        ...

    def active(self, owner: str, conversation_id: str) -> Run | None:
        """The run with which another process writes there, as one that can be followed and stopped from here.

        Raises StorageError.
        """
        ...

    def loads(self) -> Mapping[str, int]:
        """How many answers the others have for each owner, as far as it is known; asks nobody."""
        ...

    def close(self) -> None:
        """The runs of this process have ended, and it leaves. Never raises."""
        ...


class Alone:
    """There is no other process."""

    shared = False

    def start(self) -> None:
        """Nothing."""

    def claim(self, owner: str, conversation_id: str, holder: object) -> None:
        """Nobody else could have it."""

    def begin(self, run: Run, conversation_id: str) -> None:
        """Nobody has to know."""

    def release(self, conversation_id: str, holder: object) -> None:
        """Nobody waits for it."""

    def active(self, owner: str, conversation_id: str) -> Run | None:
        """None."""
        del owner, conversation_id
        return None

    def loads(self) -> Mapping[str, int]:
        """Nothing."""
        return {}

    def close(self) -> None:
        """Nothing."""
