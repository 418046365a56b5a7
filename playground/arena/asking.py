"""How a question reaches the sides: together or one after the other, as a run of the chat for each."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from playground.arena.battles import choose_schedule
from playground.arena.contract import Schedule
from playground.arena.live import Live
from playground.arena.parts import ArenaParts
from playground.arena.sight import is_blind, sides_owner
from playground.chat.service import ChatService
from playground.domain import Blocked, ChatRequest, Message
from playground.errors import InvalidRequest, OutOfMemory
from playground.storage.comparisons import KeptComparison, KeptSide


class Asking:
    """`chat` is the chat service over the sides' conversations. What takes a `Live` is called with its lock held."""

    def __init__(self, parts: ArenaParts, chat: ChatService) -> None:
        self._parts = parts
        self._chat = chat
        self._random = random.SystemRandom()

    def schedule(self, model_ids: Sequence[str]) -> Schedule:
        """Together or in turn. Raises UnknownModel, InvalidRequest, OutOfMemory (one fits not even alone)."""
        specs = [self._parts.catalog.get(model_id) for model_id in model_ids]
        for spec in specs:
            if not spec.offered:
                raise InvalidRequest(f"{spec.name} is not a model to talk to here. Choose another one.")
            refusal = self._parts.memory.refusal(spec)
            if refusal:
                raise OutOfMemory(refusal)
        return choose_schedule(specs, self._parts.memory, self._parts.max_models)

    def renew_schedule(self, live: Live) -> None:
        """The schedule as it is now, after models or memory changed."""
        schedule = self.schedule([side.model_id for side in live.kept.sides]).value
        if schedule != live.kept.schedule:
            self._parts.comparisons.change(live.kept.owner, live.kept.id, schedule=schedule)
            live.kept = replace(live.kept, schedule=schedule)

    def messages(self, kept: KeptComparison, side: KeptSide) -> tuple[Message, ...]:
        """The turns of a side."""
        return self._chat.thread(sides_owner(kept), side.conversation_id).messages

    def request(self, live: Live, side: KeptSide, text: str | None) -> ChatRequest:
        """What a side is asked, after its turns so far; `text` None asks its newest question again."""
        messages = self.messages(live.kept, side)
        return ChatRequest(
            owner=live.kept.owner,
            model_id=side.model_id,
            text=text,
            conversation_id=side.conversation_id,
            parent_id=messages[-1].id if messages else None,
            system_prompt=side.system_prompt,
            params=side.params,
            language=live.kept.language,
        )

    def begin(self, live: Live, requests: list[ChatRequest]) -> None:
        """Start the runs; a question that the gate blocks starts none. While blind nobody can guess their order."""
        in_turn = live.kept.schedule == Schedule.IN_TURN
        if in_turn and is_blind(live.kept):
            self._random.shuffle(requests)
        runs = self._chat.start_together(requests, in_turn=in_turn)
        end = runs[0].snapshot().end if runs[0].message_id is None else None
        if isinstance(end, Blocked):
            live.refused = end.verdict
        else:
            live.begin(runs)
        if not live.kept.title and live.refused is None:
            conversation = self._parts.sides.get(live.kept.owner, requests[0].conversation_id or "")
            self._parts.comparisons.change(live.kept.owner, live.kept.id, title=conversation.title)
            live.kept = replace(live.kept, title=conversation.title)
        live.changed.notify_all()
