"""What the `standard` policy costs on an answer of the embedded model, beside the same answers with `off`.

Both policies stand before one and the same engine and database; every question is asked under both, in turns and
greedily, so that the answers are the same. Added to a unit that is released is what lies between its last piece
reaching the guard and a watcher having it, beyond what the same way takes with nothing checked; waiting for the unit to
be complete is the hold-back itself and not counted. Speed is the engine's own, of writing, by its clock.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

from benchmarks.rows import Row
from playground.chat.service import ChatService
from playground.config import Settings
from playground.domain import ChatRequest, Finished, SamplingParams, TextDelta
from playground.moderation.contract import OutputGuard, Screened
from playground.moderation.moderator import PolicyModerator, build_moderator
from playground.services import Services, build
from playground.storage.conversations import ConversationStore

ROUNDS = 12
PARAMS = SamplingParams(temperature=0.0, max_tokens=256)
QUESTIONS = (
    "Tell me a story about a fox.",
    "What is a token, and why does it matter?",
    "What is quantization?",
    "Kể cho tôi nghe một câu chuyện về con cáo.",
    "Lượng tử hóa là gì?",
)


@dataclass
class TimedGuard:
    """A guard that notes when a call came that released something, and how many characters were out after it."""

    guard: OutputGuard
    releases: list[tuple[float, int]] = field(default_factory=list)

    def feed(self, delta: str) -> Screened:
        """As the guard's."""
        began = time.perf_counter()
        return self._noted(began, self.guard.feed(delta))

    def finish(self) -> Screened:
        """As the guard's."""
        began = time.perf_counter()
        return self._noted(began, self.guard.finish())

    def _noted(self, began: float, screened: Screened) -> Screened:
        if screened.text:
            out = self.releases[-1][1] if self.releases else 0
            self.releases.append((began, out + len(screened.text)))
        return screened

    def __getattr__(self, name: str) -> Any:
        return getattr(self.guard, name)


class TimedModerator:
    """A moderator whose guards are timed; `last` is the newest one."""

    def __init__(self, moderator: PolicyModerator) -> None:
        self.last = TimedGuard(moderator.guard())
        self.check_input = moderator.check_input
        self.tailors = moderator.tailors
        self._moderator = moderator

    def guard(self, *arguments: Any, **options: Any) -> TimedGuard:
        """A new guard for one stream."""
        self.last = TimedGuard(self._moderator.guard(*arguments, **options))
        return self.last


@dataclass(frozen=True)
class Answer:
    """One answer: its text, the engine's tokens per second, and seconds from guard to watcher for every release."""

    text: str
    speed: float
    waits: tuple[float, ...]


def measure() -> Iterator[Row]:
    """Added milliseconds per released unit, and what is left of the engine's speed."""
    with tempfile.TemporaryDirectory() as folder:
        services = build(Settings(data_dir=Path(folder)))
        try:
            sides = {policy: _side(services, policy) for policy in ("standard", "off")}
            for side in sides.values():
                _answer(*side, QUESTIONS[0])
            rounds = [_pair(sides, question, turn) for turn in range(ROUNDS) for question in QUESTIONS]
        finally:
            services.close()
    yield from _rows(rounds)


def _rows(rounds: list[dict[str, Answer]]) -> Iterator[Row]:
    waits = {policy: [wait for pair in rounds for wait in pair[policy].waits] for policy in ("standard", "off")}
    median = {policy: statistics.median(found) * 1000 for policy, found in waits.items()}
    slow = statistics.quantiles(waits["standard"], n=100)[94] * 1000
    detail = f"95 % of {len(waits['standard'])} within {slow:.2f} ms; {median['off']:.2f} ms with nothing checked"
    yield Row("standard: added to a released unit, median", median["standard"] - median["off"], "ms", 5, False, detail)
    ratios = [pair["standard"].speed / pair["off"].speed for pair in rounds]
    speeds = {policy: statistics.median(pair[policy].speed for pair in rounds) for policy in ("standard", "off")}
    detail = f"{speeds['standard']:.0f} of {speeds['off']:.0f} tokens/s"
    yield Row("standard / off: tokens/s of the engine", statistics.median(ratios), "ratio", 0.97, True, detail)


def _side(services: Services, policy: str) -> tuple[ChatService, TimedModerator]:
    moderator = TimedModerator(build_moderator(policy))
    chat = ChatService(
        catalog=services.catalog,
        engines=services.pool,
        moderator=moderator,
        conversations=ConversationStore(services.database),
        decisions=services.decisions,
        max_message_chars=32_000,
        max_runs=1,
    )
    return chat, moderator


def _pair(sides: dict[str, tuple[ChatService, TimedModerator]], question: str, turn: int) -> dict[str, Answer]:
    order = list(sides) if turn % 2 else list(reversed(sides))
    answers = {policy: _answer(*sides[policy], question) for policy in order}
    if answers["standard"].text != answers["off"].text:
        raise RuntimeError(f"the answers to {question!r} differ: choose a question that the policy leaves alone")
    return answers


def _answer(chat: ChatService, moderator: TimedModerator, question: str) -> Answer:
    run = chat.start(ChatRequest("bench", "pip", question, params=PARAMS))
    seen: list[tuple[float, str]] = []
    end = None
    for event in run.events():
        if isinstance(event, TextDelta):
            seen.append((time.perf_counter(), event.text))
        elif isinstance(event, Finished):
            end = event
    if end is None:
        raise RuntimeError(f"no answer to {question!r}")
    outs = list(accumulate(len(text) for _, text in seen))
    arrivals = [(next(at for (at, _), out in zip(seen, outs, strict=True) if out >= size), began)
                for began, size in moderator.last.releases]  # fmt: skip
    speed = end.timings.tokens_per_second(end.usage.completion_tokens) or 0.0
    return Answer("".join(text for _, text in seen), speed, tuple(at - began for at, began in arrivals))
