"""The comparisons that are looked at, each read once, for as many people as look at it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable

from playground.arena.live import Live
from playground.arena.sight import sides_owner
from playground.chat.incoming import check_id
from playground.chat.service import ChatService
from playground.storage.comparisons import ComparisonStore

MOST_KEPT = 512


class Watched:
    """Safe to use from many threads; `chat` is the chat service over the sides' conversations."""

    def __init__(self, store: ComparisonStore, chat: ChatService) -> None:
        self._store = store
        self._chat = chat
        self._lock = threading.Lock()
        self._live: OrderedDict[str, Live] = OrderedDict()

    def get(self, owner: str, comparison_id: str) -> Live:
        """The comparison as it is looked at, and as it is by now. Raises UnknownConversation."""
        live = self._known(owner, comparison_id)
        self.catch_up(live, at_once=True)
        return live

    def catch_up(self, live: Live, *, at_once: bool) -> None:
        """Take in what another app process did to a comparison; `at_once`: however short ago that was done last."""
        if self._chat.shared:
            with live.lock:
                live.catch_up(self._store, at_once=at_once)

    def _known(self, owner: str, comparison_id: str) -> Live:
        with self._lock:
            live = self._live.get(check_id(comparison_id))
            if live is not None and live.kept.owner == owner:
                self._live.move_to_end(comparison_id)
                return live
        kept = self._store.get(owner, comparison_id)
        with self._lock:
            live = self._live.get(comparison_id)
            if live is None or live.kept.owner != owner:
                live = self._live[comparison_id] = Live(kept, sides_owner(kept), self._chat)
            for old in [name for name, one in self._live.items() if not one.running][: -MOST_KEPT or None]:
                if old != comparison_id:
                    del self._live[old]
            return live

    def reload(self, live: Live) -> None:
        """Read a comparison again, with its lock held: something about it was changed."""
        live.kept = self._store.get(live.kept.owner, live.kept.id)
        live.forget()
        live.changed.notify_all()

    def forget(self, comparison_ids: Iterable[str]) -> None:
        """Read these comparisons anew the next time they are looked at."""
        with self._lock:
            for comparison_id in comparison_ids:
                self._live.pop(comparison_id, None)
