"""Answers on their way to a client: in one piece, or as server-sent events with a sign of life in every silence."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from playground.api.answers import Choice, Form, stage_of, usage_of
from playground.api.errors import Refused
from playground.api.following import cancelled_with, follow
from playground.api.limits import Ticket
from playground.chat.run import Run
from playground.domain import ChatEvent, new_id

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@dataclass(slots=True)
class Asked:
    """A request whose runs have begun. `scored`: tokens were asked for; `counted`: a chunk with the usage was."""

    model: str
    form: Form
    runs: Sequence[Run]
    ticket: Ticket
    scored: bool = False
    counted: bool = False
    id: str = field(default_factory=new_id)
    created: int = field(default_factory=lambda: int(time.time()))

    def head(self, kind: str) -> dict[str, Any]:
        """What every object of this answer begins with."""
        return {"id": self.form.prefix + self.id, "object": kind, "created": self.created, "model": self.model}


class AnswerResponse(Response, ABC):
    """Runs, followed to their end while the client is there; then their tokens are counted."""

    def __init__(self, asked: Asked) -> None:
        super().__init__()
        self._asked = asked
        self._choices = [Choice(number) for number in range(len(asked.runs))]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; the runs have been asked to end when this returns, however it does."""
        try:
            async with cancelled_with(receive, self._asked.runs):
                await self._answer(scope, receive, send)
        finally:
            await self._settle()

    async def _settle(self) -> None:
        """Count what was used; before the last byte is sent, so that whoever has it may ask again at once."""
        used = usage_of(self._choices)
        await run_in_threadpool(self._asked.ticket.close, used["total_tokens"])

    @abstractmethod
    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Follow the runs and send what they say."""


class WholeAnswer(AnswerResponse):
    """The answers in one piece."""

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        async for news in follow(self._asked.runs):
            for number, event in news:
                self._choices[number].take(event)
        try:
            response = JSONResponse(self._whole(), headers=_HEADERS)
        except Refused as refused:
            response = refused.problem.response
        await self._settle()
        await response(scope, receive, send)

    def _whole(self) -> dict[str, Any]:
        asked = self._asked
        choices = []
        for choice in self._choices:
            reason, more = choice.finish()
            said = asked.form.message(choice, scored=asked.scored)
            choices.append({"index": choice.number, **said, "finish_reason": reason} | more)
        return asked.head(asked.form.whole) | {"choices": choices, "usage": usage_of(self._choices)}


class EventStream(AnswerResponse):
    """The answers as they are written. What is not text (a place in line, loading, checking) is told in comments."""

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        headers = {**_HEADERS, "Content-Type": "text/event-stream; charset=utf-8"}
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        with suppress(OSError):  # the client is gone: its runs are being stopped
            await send({"type": "http.response.start", "status": 200, "headers": raw})
            async for line in self._lines():
                if all(choice.end for choice in self._choices):
                    await self._settle()
                await send({"type": "http.response.body", "body": f"{line}\n\n".encode(), "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    async def _lines(self) -> AsyncIterator[str]:
        asked = self._asked
        for choice in self._choices:
            if opening := asked.form.opening():
                yield self._chunk(choice.number, opening, None)
        try:
            async for news in follow(asked.runs):
                if not news:
                    yield ": still working"
                for number, event in news:
                    for line in self._told(self._choices[number], event):
                        yield line
        except Refused as refused:
            yield _data(refused.problem.body)
            return
        if asked.counted:
            yield _data(asked.head(asked.form.chunk) | {"choices": [], "usage": usage_of(self._choices)})
        yield "data: [DONE]"

    def _told(self, choice: Choice, event: ChatEvent) -> list[str]:
        asked = self._asked
        piece = choice.take(event)
        if piece is not None:
            return [self._chunk(choice.number, asked.form.delta(piece, scored=asked.scored), None)]
        if choice.end is not None:
            reason, more = choice.finish()
            last: dict[str, Any] = {"delta": {}} if asked.form.opening() else {"text": ""}
            return [self._chunk(choice.number, last | {"logprobs": None}, reason, more)]
        stage = stage_of(event)
        return [f": {stage}"] if stage else []

    def _chunk(self, number: int, said: dict[str, Any], reason: str | None, more: dict[str, Any] | None = None) -> str:
        choice = {"index": number, **said, "finish_reason": reason} | (more or {})
        usage = {"usage": None} if self._asked.counted else {}
        return _data(self._asked.head(self._asked.form.chunk) | {"choices": [choice]} | usage)


def _data(content: dict[str, Any]) -> str:
    return f"data: {json.dumps(content, ensure_ascii=False, separators=(',', ':'))}"
