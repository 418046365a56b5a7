"""A batch: many questions to several models, one model after the other, then pairs of answers to be graded blind.

Everything it did is in the database under names that follow from the questions and the models, so that the same batch
started again goes on where it was, also when it was killed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from playground.arena.contract import Mode, Schedule
from playground.arena.parts import ArenaParts
from playground.arena.sight import BATCH_OWNER
from playground.chat.run import Run
from playground.domain import ChatRequest, Conversation, FinishReason, Language, Message
from playground.errors import InvalidRequest, UnknownConversation
from playground.moderation.redaction import guess_language
from playground.storage.comparisons import KeptComparison

AT_ONCE = 4
"""Questions that one model answers at the same time."""
State = Literal["answered", "blocked", "failed", "open"]
_ANSWERED = (FinishReason.STOP, FinishReason.LENGTH)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch is: `done` of `total` answers, now with this model."""

    model_id: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a batch: answers by how they ended, and pairs that can be graded, with those of earlier runs."""

    answered: int
    blocked: int
    failed: int
    pairs: int


class Duel:
    """One batch of `questions` to `models`. Raises UnknownModel, and InvalidRequest for fewer than two of them."""

    def __init__(self, parts: ArenaParts, questions: Sequence[str], models: Sequence[str]) -> None:
        self._models = list(dict.fromkeys(models))
        self._questions = list(dict.fromkeys(questions))
        if len(self._models) < 2 or not self._questions:
            raise InvalidRequest("A batch needs at least two different models and one question.")
        for name in self._models:
            parts.catalog.get(name)
        self._parts = parts
        self._chat = parts.chat.over(parts.sides)
        self._batch = parts.fingerprint("\n\n".join(["batch", *self._models, *self._questions]))

    def run(self, tell: Callable[[Progress], None]) -> Outcome:
        """Ask what has not been answered yet, model by model, then make the pairs. Raises StorageError, Busy."""
        total = len(self._models) * len(self._questions)
        states: dict[tuple[str, int], State] = {}
        for model_id in self._models:
            tell(Progress(model_id, len(states), total))
            writing: deque[tuple[int, Run]] = deque()
            for number in range(len(self._questions)):
                states[model_id, number] = self._state(model_id, number)
                if states[model_id, number] in {"open", "failed"}:
                    writing.append((number, self._ask(model_id, number)))
                if len(writing) >= AT_ONCE:
                    self._await(writing, model_id, states)
                tell(Progress(model_id, len(states) - len(writing), total))
            while writing:
                self._await(writing, model_id, states)
                tell(Progress(model_id, len(states) - len(writing), total))
        ends = list(states.values())
        return Outcome(ends.count("answered"), ends.count("blocked"), ends.count("failed"), self._pair(states))

    def _await(self, writing: deque[tuple[int, Run]], model_id: str, states: dict[tuple[str, int], State]) -> None:
        number, run = writing.popleft()
        run.wait()
        state = self._state(model_id, number)
        states[model_id, number] = "blocked" if state == "open" else state  # nothing is stored of a blocked question

    def _id(self, model_id: str, number: int) -> str:
        return self._parts.fingerprint(f"{self._batch} {model_id} {number}")

    def _messages(self, model_id: str, number: int) -> tuple[Message, ...]:
        try:
            return self._chat.thread(BATCH_OWNER, self._id(model_id, number)).messages
        except UnknownConversation:
            return ()

    def _state(self, model_id: str, number: int) -> State:
        messages = self._messages(model_id, number)
        if not messages:
            return "open"
        reason = messages[-1].finish_reason
        if reason is FinishReason.CONTENT_FILTER:
            return "blocked"
        return "answered" if reason in _ANSWERED and messages[-1].content.strip() else "failed"

    def _ask(self, model_id: str, number: int) -> Run:
        messages = self._messages(model_id, number)
        conversation_id = self._id(model_id, number)
        if not messages:
            conversation = Conversation(BATCH_OWNER, id=conversation_id, comparison_id=self._batch, model_id=model_id)
            self._parts.sides.add(conversation, [])
        question = self._questions[number]
        request = ChatRequest(
            owner=BATCH_OWNER,
            model_id=model_id,
            text=None if messages else question,
            conversation_id=conversation_id,
            parent_id=messages[0].id if messages else None,
            language=_language(question),
        )
        return self._chat.start(request)

    def _pair(self, states: dict[tuple[str, int], State]) -> int:
        """Make the pairs that are not there yet, the sides in an order that nobody can guess; returns how many are."""
        known = self._parts.comparisons.of_batch(self._batch)
        for number, question in enumerate(self._questions):
            able = [model_id for model_id in self._models if states[model_id, number] == "answered"]
            for pair in combinations(able, 2):
                comparison_id = self._parts.fingerprint(f"{self._batch} pair {number} {pair}")
                if comparison_id in known:
                    continue
                sides = pair if int(comparison_id[-1], 16) % 2 else pair[::-1]
                title = self._parts.sides.get(BATCH_OWNER, self._id(sides[0], number)).title
                kept = KeptComparison(
                    id=comparison_id,
                    owner="",
                    mode=Mode.DUEL.value,
                    schedule=Schedule.IN_TURN.value,
                    language=_language(question),
                    title=title,
                    batch=self._batch,
                )
                self._parts.comparisons.add(kept, [self._id(model_id, number) for model_id in sides])
                known.add(comparison_id)
        return len(known)


def _language(question: str) -> Language:
    return "vi" if guess_language(question, "en") == "vi" else "en"
