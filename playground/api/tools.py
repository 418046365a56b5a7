"""Three things a program can have done, told apart by name: chat, compare, moderate. For Gradio's clients and for MCP.

Each gives snapshots: what is known so far, whole, until the last one, which is the result.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import anyio
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from playground.api.answers import Choice, stage_of, usage_of
from playground.api.asking import Asking, Begun
from playground.api.calls import Call, ChatCall, CompareCall, ModerateCall, PastTurn
from playground.api.errors import INPUT_BLOCKED, Problem, Refused, problem_of_fields
from playground.api.following import follow
from playground.api.limits import Caller, Limits
from playground.api.moderations import moderate
from playground.api.protocol import ChatBody, ModerationBody
from playground.api.requests import chat_params, read_turns
from playground.domain import ChatEvent, Language
from playground.services import Services

PACE_SECONDS = 0.05
"""Snapshots of answers come at most so often."""
BEAT_SECONDS = 0.25
"""The same snapshot comes again after this long, so that a client that is gone is noticed."""
Snapshot = dict[str, Any]
Snapshots = AsyncGenerator[Snapshot, None]


@dataclass(frozen=True, slots=True)
class Tool:
    """Something that can be done. `run` takes who asks, the checked call and a language."""

    description: str
    call: type[Call]
    run: Callable[[Caller, Any, Language], Snapshots]


class Tools:
    """The tools, on the same services, within the same limits as the HTTP API."""

    def __init__(self, services: Services, limits: Limits) -> None:
        self._services = services
        self._limits = limits
        self._asking = Asking(services, limits)
        self.named: Mapping[str, Tool] = {
            "chat": Tool(
                "Answer a message with an open language model. The answer was screened; `moderation` says what the "
                "safety check decided, and why.",
                ChatCall,
                self._chat,
            ),
            "compare": Tool(
                "Ask two to four open language models the same, side by side. Every answer was screened.",
                CompareCall,
                self._compare,
            ),
            "moderate": Tool(
                "Check a text with the safety layer: categories with scores, and the receipt with thresholds, places "
                "and detectors. Nothing is recorded.",
                ModerateCall,
                self._moderate,
            ),
        }

    def run(self, name: str, caller: Caller, arguments: object, language: Language) -> Snapshots:
        """Snapshots of what a tool does; close the iterator to have it stop.

        Raises KeyError for an unknown tool, Refused for arguments that do not fit; the iterator raises PlaygroundError.
        """
        tool = self.named[name]
        try:
            call = tool.call.model_validate(arguments)
        except ValidationError as error:
            raise Refused(problem_of_fields(error.errors())) from None
        return tool.run(caller, call, language)

    async def _chat(self, caller: Caller, call: ChatCall, language: Language) -> Snapshots:
        body = _body(call, call.model or self._services.settings.default_model, call.history or ())
        async with aclosing(self._follow(caller, [body], language)) as followed:
            async for (answer,) in followed:
                yield answer.told()

    async def _compare(self, caller: Caller, call: CompareCall, language: Language) -> Snapshots:
        bodies = [_body(call, model) for model in call.models]
        async with aclosing(self._follow(caller, bodies, language)) as followed:
            async for answers in followed:
                yield {"answers": [answer.told_with_failure() for answer in answers]}

    async def _moderate(self, caller: Caller, call: ModerateCall, language: Language) -> Snapshots:
        ticket = self._limits.admit(caller)
        try:
            body, longest = ModerationBody(input=call.text), self._services.settings.max_message_chars
            told = await run_in_threadpool(moderate, body, self._services.moderator, language, longest)
        finally:
            ticket.close()
        (result,) = told["results"]
        yield result

    async def _follow(
        self, caller: Caller, bodies: Sequence[ChatBody], language: Language
    ) -> AsyncGenerator[Sequence[_Answer], None]:
        """The answers to all bodies, again and again until each has ended; they are stopped when nobody wants more."""
        answers = [_Answer(body.model) for body in bodies]
        try:
            for answer, body in zip(answers, bodies, strict=True):
                await self._begin(answer, caller, body, language)
            written = [(answer, answer.begun) for answer in answers if answer.begun is not None]
            if not written:
                yield answers
            async for news in follow([begun.runs[0] for _, begun in written], BEAT_SECONDS):
                for number, event in news:
                    written[number][0].take(event)
                yield answers
                if not all(answer.choice.end for answer, _ in written):
                    await asyncio.sleep(PACE_SECONDS)
        finally:
            with anyio.CancelScope(shield=True):
                await run_in_threadpool(_settle, answers)

    async def _begin(self, answer: _Answer, caller: Caller, body: ChatBody, language: Language) -> None:
        try:
            answer.begun = await self._asking.begin(
                caller, body, lambda asked: read_turns(asked.messages), chat_params, language
            )
        except Refused as refused:
            if refused.problem.code != INPUT_BLOCKED:
                raise
            answer.refusal = refused.problem  # a decision with its receipt is a result, as for a blocked answer


@dataclass(slots=True)
class _Answer:
    """One model's answer as far as it is known. `refusal` says that the gate stopped what was sent."""

    model: str
    choice: Choice = field(default_factory=lambda: Choice(0))
    begun: Begun | None = None
    refusal: Problem | None = None
    _stage: str = "queued"

    def take(self, event: ChatEvent) -> None:
        """Something happened."""
        self.choice.take(event)
        self._stage = stage_of(event) or "writing"

    def told(self) -> Snapshot:
        """The answer for a client. Raises Refused for one that failed, and for a check of it that could not run."""
        reason: str | None = None
        moderation, dropped = None, 0
        if self.refusal is not None:
            reason = "content_filter"
            receipt = self.refusal.more["moderation"]
            moderation = {"action": "block", "unavailable": False, "message": self.refusal.message}
            moderation["decisions"] = [receipt]
        elif self.choice.end is not None:
            reason, more = self.choice.finish()
            moderation, dropped = more.get("moderation"), more.get("dropped_messages", 0)
        return {
            "model": self.begun.spec.id if self.begun else self.model,
            "text": self.choice.text,
            "reasoning": self.choice.reasoning,
            "status": self._stage if reason is None else "done",
            "finish_reason": reason,
            "usage": usage_of([self.choice]) if reason and self.begun else None,
            "moderation": moderation,
            "dropped_messages": dropped,
        }

    def told_with_failure(self) -> Snapshot:
        """The same beside other answers, of which one may fail without the rest: then with an `error`."""
        try:
            return self.told()
        except Refused as refused:
            end, self.choice.end = self.choice.end, None
            told = self.told() | {"status": "failed", "error": refused.problem.body["error"]}
            self.choice.end = end
            return told


def _body(call: ChatCall | CompareCall, model: str, history: Sequence[PastTurn] = ()) -> ChatBody:
    turns = [turn.model_dump() for turn in history]
    turns.append({"role": "user", "content": call.message})
    if call.system_prompt:
        turns.insert(0, {"role": "system", "content": call.system_prompt})
    content = {"model": model, "messages": turns, "temperature": call.temperature, "max_tokens": call.max_tokens}
    try:
        return ChatBody.model_validate(content)
    except ValidationError as error:
        raise Refused(problem_of_fields(error.errors())) from None


def _settle(answers: Sequence[_Answer]) -> None:
    """Stop what is still written, and count what was used."""
    for answer in answers:
        if answer.begun is not None:
            answer.begun.runs[0].cancel()
            answer.begun.ticket.close(usage_of([answer.choice])["total_tokens"])
