"""A run that another app process writes, followed through the database: it can be watched and stopped as if here."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from playground.chat.run import Run, RunSnapshot
from playground.chat.thread import end_of
from playground.domain import (
    Checking,
    Download,
    Finished,
    FinishReason,
    Loading,
    Message,
    Queued,
    ReasoningDelta,
    Stage,
    TextDelta,
)
from playground.storage.records import verdict_of, verdict_record
from playground.storage.writing import Held

_GONE = Finished(FinishReason.CANCELLED)


class Mirror(Run):
    """`ask_stop` is called when somebody here wants the run to end."""

    def __init__(self, held: Held, ask_stop: Callable[[Mirror], None]) -> None:
        super().__init__(held.owner, held.conversation_id, held.user_message_id, held.message_id)
        self.id = held.run_id
        self.started_at -= held.age
        self._lengths = {TextDelta: 0, ReasoningDelta: 0}
        self._told: object = None
        self.when_stopped(lambda: ask_stop(self))

    def take(self, message: Message | None, state: Mapping[str, Any] | None) -> None:
        """Go on to what is stored of the answer (None: it was deleted), and to what its process told of it."""
        if message is None:
            self.emit(_GONE)
            return
        for kind, text in ((ReasoningDelta, message.reasoning), (TextDelta, message.content)):
            fresh = text[self._lengths[kind] :]
            if fresh:
                self._lengths[kind] += len(fresh)
                self.emit(kind(fresh))
        if state is not None and state != self._told:
            self._told = state
            self._show(state)
        end = end_of(message)
        if end is not None:
            self.emit(end)

    def _show(self, state: Mapping[str, Any]) -> None:
        with self._changed:
            if state["tokens"] != self._tokens:
                self._latest = time.monotonic()
            self._tokens, self._first_token = state["tokens"], state["first_token"]
        self.note([verdict_of(record) for record in state["verdicts"]])
        stage = _stage_of(state["stage"])
        if stage is not None:
            self.emit(stage)


def state_of(snapshot: RunSnapshot) -> dict[str, Any]:
    """What the others need to know of a run beside its stored text, as JSON values."""
    return {
        "stage": _stage_record(snapshot.stage),
        "verdicts": [verdict_record(verdict) for verdict in snapshot.verdicts],
        "tokens": snapshot.tokens,
        "first_token": snapshot.first_token,
    }


def _stage_record(stage: Queued | Loading | Checking | None) -> dict[str, Any] | None:
    return None if stage is None else {"kind": type(stage).__name__, **asdict(stage)}


def _stage_of(record: Mapping[str, Any] | None) -> Queued | Loading | Checking | None:
    match record:
        case {"kind": "Queued", "position": position}:
            return Queued(position)
        case {"kind": "Checking", "held": held}:
            return Checking(held)
        case {"kind": "Loading", "stage": stage, "fraction": fraction, "detail": detail, "download": download}:
            return Loading(Stage(stage), fraction, detail, None if download is None else Download(**download))
        case _:
            return None
