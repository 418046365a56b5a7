"""A batch: many questions to several models, one model after the other, then pairs of answers to be graded blind.

Everything it did is in the database under names that follow from the questions and the models, so that the same batch
started again goes on where it was, also when it was killed. The gate sees every question before it is kept.
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
from playground.arena.topics import question_language
from playground.chat.run import Run
from playground.domain import ChatRequest, Conversation, FinishReason, Message, utc_now
from playground.errors import DetectorUnavailable, InvalidRequest, UnknownConversation
from playground.storage.comparisons import KeptComparison
from playground.storage.duels import KeptDuel

AT_ONCE = 4
"""Questions that one model answers at the same time."""
State = Literal["answered", "blocked", "failed", "open"]
_ANSWERED = (FinishReason.STOP, FinishReason.LENGTH)
_LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch is: `done` of `total` answers, now with this model. Without one, questions at the gate."""

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


Tell = Callable[[Progress], None]
Stopped = Callable[[], bool]


class Duel:
    """One batch of `questions` to `models`. Raises UnknownModel, and InvalidRequest for fewer than two of them."""

    def __init__(self, parts: ArenaParts, questions: Sequence[str], models: Sequence[str]) -> None:
        self._models = list(dict.fromkeys(models))
        self._questions: list[str | None] = list(dict.fromkeys(questions))
        if len(self._models) < 2 or not self._questions:
            raise InvalidRequest("A batch needs at least two different models and one question.")
        for name in self._models:
            parts.catalog.get(name)
        self._parts = parts
        self._chat = parts.chat.over(parts.sides, with_trails=False)
        self.id = parts.fingerprint("\n\n".join(["batch", *self._models, *dict.fromkeys(questions)]))

    @classmethod
    def again(cls, parts: ArenaParts, duel_id: str) -> Duel:
        """A batch that was begun before. Raises UnknownConversation, UnknownModel."""
        kept = parts.duels.get(duel_id)
        duel = cls(parts, [question or "" for question in kept.questions], kept.models)
        duel.id, duel._questions = kept.id, list(kept.questions)
        return duel

    def run(self, tell: Tell, stopped: Stopped = lambda: False) -> Outcome:
        """Ask what has not been answered yet, model by model, then make the pairs.

        Once it is `stopped` nothing more is asked, and the answers being written are cut. Raises StorageError, Busy,
        DetectorUnavailable.
        """
        states: dict[tuple[str, int], State] = {}
        if self._screen(tell, stopped):
            for model_id in self._models:
                self._ask_all(model_id, states, tell, stopped)
        ends = list(states.values())
        return Outcome(ends.count("answered"), ends.count("blocked"), ends.count("failed"), self._pair(states))

    def _screen(self, tell: Tell, stopped: Stopped) -> bool:
        """Keep the questions as the gate lets them through; False when it was stopped before."""
        kept = self._parts.duels.find(self.id)
        if kept is None:
            cleared: list[str | None] = []
            for question in self._questions:
                if stopped():
                    return False
                tell(Progress("", len(cleared), len(self._questions)))
                cleared.append(self._cleared(question))
            kept = KeptDuel(self.id, tuple(self._models), tuple(cleared))
            self._parts.duels.add(kept)
        self._questions = list(kept.questions)
        return True

    def _cleared(self, question: str | None) -> str | None:
        if question is None:
            return None
        screened = self._chat.screen(BATCH_OWNER, question, question_language([question]))
        if screened.verdict is not None and screened.verdict.unavailable:
            raise DetectorUnavailable("The safety check could not run, so nothing was asked. Try again.")
        return None if screened.blocked else screened.text

    def _ask_all(self, model_id: str, states: dict[tuple[str, int], State], tell: Tell, stopped: Stopped) -> None:
        """Everything that this model has not answered yet."""
        total = len(self._models) * len(self._questions)
        writing: deque[tuple[int, Run]] = deque()
        for number, question in enumerate(self._questions):
            if stopped():
                break
            state: State = "blocked" if question is None else self._state(model_id, number)
            states[model_id, number] = state
            if question is not None and state in {"open", "failed"}:
                writing.append((number, self._ask(model_id, number, question)))
            if len(writing) >= AT_ONCE:
                self._await(writing, model_id, states, stopped)
            tell(Progress(model_id, len(states) - len(writing), total))
        while writing:
            self._await(writing, model_id, states, stopped)
            tell(Progress(model_id, len(states) - len(writing), total))

    def _await(
        self,
        writing: deque[tuple[int, Run]],
        model_id: str,
        states: dict[tuple[str, int], State],
        stopped: Stopped,
    ) -> None:
        number, run = writing.popleft()
        while not run.wait(_LOOK_SECONDS):
            if stopped():
                for other in (run, *(one for _, one in writing)):
                    other.cancel()
        state = self._state(model_id, number)
        states[model_id, number] = "blocked" if state == "open" else state  # nothing is stored of a blocked question

    def _id(self, model_id: str, number: int) -> str:
        return self._parts.fingerprint(f"{self.id} {model_id} {number}")

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

    def _ask(self, model_id: str, number: int, question: str) -> Run:
        messages = self._messages(model_id, number)
        conversation_id = self._id(model_id, number)
        if not messages:
            conversation = Conversation(BATCH_OWNER, id=conversation_id, comparison_id=self.id, model_id=model_id)
            self._parts.sides.add(conversation, [])
        request = ChatRequest(
            owner=BATCH_OWNER,
            model_id=model_id,
            text=None if messages else question,
            conversation_id=conversation_id,
            parent_id=messages[0].id if messages else None,
            language=question_language([question]),
        )
        return self._chat.start(request)

    def _pair(self, states: dict[tuple[str, int], State]) -> int:
        """Make the pairs that are not there yet, the sides in an order that nobody can guess; returns how many are."""
        known = self._parts.duels.pairs(self.id)
        now = utc_now()
        for number, question in enumerate(self._questions):
            able = [model_id for model_id in self._models if states.get((model_id, number)) == "answered"]
            for pair in combinations(able, 2):
                comparison_id = self._parts.fingerprint(f"{self.id} pair {number} {pair}")
                if comparison_id in known:
                    continue
                sides = pair if int(comparison_id[-1], 16) % 2 else pair[::-1]
                title = self._parts.sides.get(BATCH_OWNER, self._id(sides[0], number)).title
                kept = KeptComparison(
                    id=comparison_id,
                    owner="",
                    mode=Mode.DUEL.value,
                    schedule=Schedule.IN_TURN.value,
                    language=question_language([question or ""]),
                    title=title,
                    batch=self.id,
                    created_at=now,
                    updated_at=now,
                )
                self._parts.comparisons.add(kept, [self._id(model_id, number) for model_id in sides])
                known.add(comparison_id)
        return len(known)
