"""A comparison while it is looked at: its runs, what was read of it already, and how far a blind one is shown."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from playground.arena.contract import SideView
from playground.arena.pace import CHARS_PER_SECOND, advance, caught_up, common_pace
from playground.chat.run import Run, RunSnapshot
from playground.chat.service import ChatService
from playground.chat.thread import end_of
from playground.domain import Blocked, Finished, Message, Verdict
from playground.storage.comparisons import ComparisonStore, KeptComparison, KeptSide, SideStamp

CATCH_UP_SECONDS = 0.25


class Live:
    """Its methods are called with `lock` held; `changed` is notified when something happened to the comparison."""

    def __init__(self, kept: KeptComparison, sides_owner: str, chat: ChatService) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.kept = kept
        self.refused: Verdict | None = None
        self.version = 0
        self._latest: object = None
        self._owner = sides_owner
        self._chat = chat
        self._runs: dict[str, Run] = {}
        self._read: dict[str, tuple[tuple[str, bool], tuple[Message, ...]]] = {}
        self._shown: float | None = None
        self._at_once = False
        self._stamp: Sequence[SideStamp] | None = None
        self._caught_up = 0.0
        self._at = 0.0

    @property
    def running(self) -> bool:
        """Whether a side is still being written."""
        return any(not run.done for run in self._runs.values())

    def begin(self, runs: Sequence[Run]) -> None:
        """These answers are being written from now on."""
        self.refused = None
        self._runs |= {run.conversation_id: run for run in runs if run.conversation_id is not None}
        self._shown, self._at, self._at_once = 0.0, time.monotonic(), False

    def show_at_once(self) -> None:
        """Show all as soon as every side has ended: whoever stops does not wait for what one had written ahead."""
        self._at_once = True

    def forget(self) -> None:
        """Read everything again: the sides are others."""
        self._read.clear()

    def catch_up(self, comparisons: ComparisonStore, *, at_once: bool) -> None:
        """Read what another app process changed since the last time: the comparison, its sides, who is writing there.

        `at_once`: however short ago that time is. Raises StorageError, UnknownConversation.
        """
        now = time.monotonic()
        if not at_once and now - self._caught_up < CATCH_UP_SECONDS:
            return
        self._caught_up = now
        stamp = comparisons.stamp(self.kept.owner, self.kept.id)
        if stamp == self._stamp:
            return
        self.kept = comparisons.get(self.kept.owner, self.kept.id)
        self.forget()
        for conversation_id, leaf_id in ((row.conversation_id, row.leaf_id) for row in stamp):
            run = self._chat.active(self._owner, conversation_id)
            if run is not None:
                self._runs[conversation_id] = run
            elif conversation_id in self._runs and self._runs[conversation_id].message_id != leaf_id:
                del self._runs[conversation_id]  # asked elsewhere since, and answered
        self._stamp = stamp
        self.changed.notify_all()

    def runs(self, sides: Sequence[KeptSide]) -> list[Run]:
        """The runs that go on in these sides."""
        found = [self._runs.get(side.conversation_id) for side in sides]
        return [run for run in found if run is not None and not run.done]

    def side(self, position: int, memory_of: Callable[[str], int]) -> SideView:
        """A side with everything about it."""
        kept = self.kept.sides[position]
        run = self._runs.get(kept.conversation_id)
        # The state is read before the messages: what ends in between is read again the next time.
        snapshot = None if run is None else run.snapshot()
        messages = self._messages(kept.conversation_id, run, snapshot)
        view = SideView(position, kept.model_id, messages, running=False)
        if messages:
            last = messages[-1]
            changed = last.created_at == kept.began or not view.wrote(last)
            view = replace(view, end=end_of(last) if view.wrote(last) else None, changed=changed)
        if self.refused is not None:
            view = replace(view, end=Blocked(self.refused))
        elif snapshot is not None:
            view = replace(view, running=snapshot.end is None, stage=snapshot.stage, end=snapshot.end)
        return _with_figures(view, snapshot, memory_of(kept.model_id))

    def _messages(self, conversation_id: str, run: Run | None, snapshot: RunSnapshot | None) -> tuple[Message, ...]:
        state = ("" if run is None else run.id, snapshot is None or snapshot.end is not None)
        known = self._read.get(conversation_id)
        if known is None or known[0] != state:
            known = (state, self._chat.thread(self._owner, conversation_id).messages)
            self._read[conversation_id] = known
        messages = known[1]
        if (
            snapshot is None
            or snapshot.end is not None
            or run is None
            or not messages
            or messages[-1].id != run.message_id
        ):
            return messages
        growing = replace(messages[-1], content=snapshot.text, reasoning=snapshot.reasoning, verdicts=snapshot.verdicts)
        return (*messages[:-1], replace(growing, finish_reason=None))

    def pace(self, lengths: Sequence[int], ended: Sequence[bool], speed: float = CHARS_PER_SECOND) -> tuple[int, bool]:
        """How many characters of the newest answers are shown by now, and whether that is all there will be."""
        now = time.monotonic()
        allowed = common_pace(lengths, ended)
        # If nobody has watched from the beginning, what is there has been there for long.
        if self._shown is None or (self._at_once and all(ended)):
            self._shown = float(allowed)
        self._shown = advance(self._shown, allowed, now - self._at, speed)
        self._at = now
        return int(self._shown), caught_up(self._shown, lengths, ended)

    def versioned(self, content: object) -> int:
        """The version of this content: a new one if it is not what was seen the last time."""
        if content != self._latest:
            self._latest = content
            # Beyond any version of before a restart, and of another process: nothing changes once a microsecond.
            self.version = max(self.version + 1, time.time_ns() // 1_000)
        return self.version


def turns(messages: Sequence[Message]) -> int:
    """How many questions there are."""
    return sum(message.role == "user" for message in messages)


def _with_figures(view: SideView, snapshot: RunSnapshot | None, memory_bytes: int) -> SideView:
    tokens = snapshot.tokens if snapshot is not None else 0
    first_token = snapshot.first_token if snapshot is not None else None
    speed: float | None = None
    if isinstance(view.end, Finished):
        tokens = view.end.usage.completion_tokens or tokens
        speed = view.end.timings.tokens_per_second(tokens)
        first_token = first_token if first_token is not None else view.end.timings.first_token
    elif snapshot is not None and first_token is not None and snapshot.elapsed > first_token and tokens > 1:
        speed = round((tokens - 1) / (snapshot.elapsed - first_token), 1)
    return replace(view, tokens=tokens, tokens_per_second=speed, first_token=first_token, memory_bytes=memory_bytes)
