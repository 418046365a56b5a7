"""What servers told about the tokens of the latest answers while they wrote them: it cannot be asked for again.

Kept in the memory of this process and nowhere else. Only tokens of released text are in it; their alternatives are as
they came, and are screened when somebody looks.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

from playground.chat.token_trail import ReleasedToken

MOST_TRAILS = 64
MOST_BYTES = 32 * 2**20
"""What all trails may take together, about."""
MOST_TOKENS = 1024
MOST_ALTERNATIVES = 20
LONGEST_TEXT = 100
_TOKEN_BYTES, _ALTERNATIVE_BYTES, _CHARACTER_BYTES = 200, 150, 4
_GONE_KNOWN = 256


@dataclass(frozen=True, slots=True)
class TrailToken:
    """A token of an answer: its characters from `start` to `end`, its name in the server's list, and its natural-log
    probability. `top` are the most probable tokens of its place that have a text, as (text, natural-log probability);
    they are not screened.
    """

    start: int
    end: int
    name: str
    logprob: float
    top: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Trail:
    """The tokens of one answer, as far as the server told them and they are kept (`whole`: to the end).

    `text_hash` is Python's hash of the answer's text. `size` is in bytes, about. `heard`: the server told tokens, also
    where none of them is of text that was released, or fits it.
    """

    tokens: tuple[TrailToken, ...]
    whole: bool
    text_hash: int
    size: int
    conversation_id: str = ""
    heard: bool = True


class TrailDraft:
    """Gathers the trail of an answer while it is released."""

    def __init__(self) -> None:
        self._tokens: list[TrailToken] = []
        self._whole = True
        self._size = 0

    def add(self, released: Iterable[ReleasedToken]) -> None:
        """Further tokens; after `MOST_TOKENS` they are not kept."""
        for one in released:
            if len(self._tokens) == MOST_TOKENS:
                self._whole = False
                return
            told = [(text, logprob) for _, text, logprob in one.token.top[:MOST_ALTERNATIVES]]
            top = tuple((text, logprob) for text, logprob in told if 0 < len(text) <= LONGEST_TEXT)
            name = one.token.text[:LONGEST_TEXT]
            self._tokens.append(TrailToken(one.start, one.end, name, one.token.logprob, top))
            characters = len(name) + sum(len(text) for text, _ in top)
            self._size += _TOKEN_BYTES + _ALTERNATIVE_BYTES * len(top) + _CHARACTER_BYTES * characters

    def finish(self, text: str, *, heard: bool) -> Trail:
        """The trail of the answer, which was released as `text`; `heard` as in `Trail`."""
        return Trail(tuple(self._tokens), self._whole, hash(text), self._size, heard=heard)


class TrailBook:
    """The latest trails by the id of their message: `MOST_TRAILS` of them, and `MOST_BYTES` in all.

    Safe to use from many threads.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Trail] = OrderedDict()
        self._size = 0
        self._gone: deque[str] = deque(maxlen=_GONE_KNOWN)
        self._lock = threading.Lock()

    def keep(self, message_id: str, conversation_id: str, trail: Trail) -> None:
        """Keep the trail of an answer, unless its conversation was put away while it was written."""
        with self._lock:
            self._drop([message_id])
            if conversation_id in self._gone:
                return
            self._kept[message_id] = replace(trail, conversation_id=conversation_id)
            self._size += trail.size
            while len(self._kept) > MOST_TRAILS or self._size > MOST_BYTES:
                self._drop([next(iter(self._kept))])

    def find(self, message_id: str, text: str) -> Trail | None:
        """The trail of an answer that reads `text`; None when none is kept."""
        with self._lock:
            trail = self._kept.get(message_id)
        return trail if trail is not None and trail.text_hash == hash(text) else None

    def copy(self, message_id: str, copy_id: str, conversation_id: str) -> None:
        """The message was copied into another conversation: its trail is that of the copy, too."""
        with self._lock:
            trail = self._kept.get(message_id)
        if trail is not None:
            self.keep(copy_id, conversation_id, trail)

    def forget(self, conversation_id: str) -> None:
        """A conversation was put away: its trails go, and none is kept for it any more."""
        with self._lock:
            self._gone.append(conversation_id)
            self._drop([key for key, trail in self._kept.items() if trail.conversation_id == conversation_id])

    def welcome(self, conversation_id: str) -> None:
        """A conversation is back: its next answers have trails again."""
        with self._lock:
            while conversation_id in self._gone:
                self._gone.remove(conversation_id)

    def _drop(self, message_ids: Iterable[str]) -> None:
        for message_id in message_ids:
            trail = self._kept.pop(message_id, None)
            if trail is not None:
                self._size -= trail.size
