"""What a comparison is, and what the page and the command line can do with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, Protocol

from playground.chat.token_views import AlternativeView, TokenView
from playground.domain import (
    Blocked,
    Checking,
    Failed,
    Finished,
    FinishReason,
    Language,
    Loading,
    Message,
    Queued,
    SamplingParams,
    new_id,
    utc_now,
)

if TYPE_CHECKING:
    from playground.arena.leaderboard import Leaderboard  # scipy only when something is rated

Winner = Literal["model_a", "model_b", "tie", "tie (bothbad)"]
MOST_SIDES = 4
_JUDGED = (FinishReason.STOP, FinishReason.LENGTH, FinishReason.CANCELLED)


class Mode(StrEnum):
    """Named: all see who answers. Blind: a pair is drawn, and named after the vote. Duel: a batch, graded blind."""

    NAMED = "named"
    BLIND = "blind"
    DUEL = "duel"


class Schedule(StrEnum):
    """Whether all sides fit into memory together, or answer one after the other."""

    TOGETHER = "together"
    IN_TURN = "in_turn"


@dataclass(frozen=True, slots=True)
class SideRequest:
    """One side of a new comparison. `params` None takes the model's own defaults."""

    model_id: str
    params: SamplingParams | None = None
    system_prompt: str = ""


@dataclass(frozen=True, slots=True)
class Side:
    """One side: a conversation of its own with one model, `position` 0 to 3 from the left."""

    position: int
    conversation_id: str
    model_id: str
    params: SamplingParams | None = None
    system_prompt: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Several models asked the same. `winner` is the vote (None: not yet); blind ones are `revealed` by it.

    `tainted`: an answer, as it was shown blind, gave a model of the pair away; the vote is kept apart.
    """

    owner: str
    mode: Mode
    sides: tuple[Side, ...]
    schedule: Schedule = Schedule.TOGETHER
    language: Language = "en"
    winner: Winner | None = None
    revealed: bool = False
    tainted: bool = False
    title: str = ""
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=utc_now)
    updated_at: datetime = field(default_factory=utc_now)

    @property
    def one_model(self) -> bool:
        """Whether both sides are the same model, which leaves nothing to rate; those of a blind pair never are."""
        first, *others = (side.model_id for side in self.sides)
        return self.mode is Mode.NAMED and others == [first]


@dataclass(frozen=True, slots=True)
class SideView:
    """A side as it may be shown right now.

    While a battle is blind, `model_id` and every figure are empty, names are masked in the texts, and the running
    answer is cut to the pace that all sides share. `running`: the last of `messages` is still being written. `end` is
    how the newest answer ended; a failure or a block says nothing of the other sides. `changed`: the side has had
    another model or other settings since the newest message; figures are of its own model's answers only.
    """

    position: int
    model_id: str
    messages: tuple[Message, ...]
    running: bool
    stage: Queued | Loading | Checking | None = None
    end: Blocked | Finished | Failed | None = None
    tokens: int = 0
    tokens_per_second: float | None = None
    first_token: float | None = None
    memory_bytes: int = 0
    changed: bool = False

    def wrote(self, answer: Message) -> bool:
        """Whether this side's model wrote an answer, and not another one that was here before it."""
        return answer.model_id in (None, self.model_id)

    @property
    def answer(self) -> Message | None:
        """The newest message, if it is an answer of this side's model."""
        last = self.messages[-1] if self.messages else None
        return last if last is not None and last.role == "assistant" and self.wrote(last) else None

    @property
    def answered(self) -> bool:
        """Whether the newest question has an answer that can be judged: one of this side as it is now."""
        answer = None if self.running or self.changed else self.answer
        return answer is not None and bool(answer.content.strip()) and answer.finish_reason in _JUDGED


@dataclass(frozen=True, slots=True)
class ComparisonView:
    """A comparison as it may be shown right now; `version` grows with every change. `may_vote`: two models finished."""

    comparison: Comparison
    sides: tuple[SideView, ...]
    version: int
    may_vote: bool


@dataclass(frozen=True, slots=True)
class Surprise:
    """An answer as one model reads it, cut into that model's own tokens.

    `rather` has, by place, the token that the model holds likelier than the one that stands there; the first is where
    they part ways. `bits_per_token` and `bits_per_character` are means of -log2 of the probabilities (None: nothing to
    read); `tokens_per_word` says how finely this answer is cut. `whole` is false for an answer of which only the
    beginning was read, `thoughtless` true when the thoughts before it were left out: this model does not think.
    `rather_whole` is false when the gate had no time for what stands in `rather` after some place. `trouble` says why
    it could not be read, and then there is nothing else.
    """

    model_id: str
    tokens: tuple[TokenView, ...] = ()
    rather: Mapping[int, AlternativeView] = field(default_factory=dict)
    bits_per_token: float | None = None
    bits_per_character: float | None = None
    tokens_per_word: float | None = None
    whole: bool = True
    thoughtless: bool = False
    rather_whole: bool = True
    trouble: Failed | None = None

    @property
    def parting(self) -> int | None:
        """The first place where the model would have gone elsewhere."""
        return min(self.rather, default=None)


@dataclass(frozen=True, slots=True)
class SurpriseView:
    """`readings[answer][reader]`: the newest answer of each side, as the model of each side reads it.

    A side without an answer has no readings. `tokens_per_word[reader]` is what a word of a short text costs, by
    language; empty for a model that does not show its tokens.
    """

    readings: tuple[tuple[Surprise, ...], ...]
    tokens_per_word: tuple[Mapping[Language, float], ...]


@dataclass(frozen=True, slots=True)
class TableChoice:
    """Which votes the leaderboard counts, and how. `modes` are values of `Mode`, and "imported" for votes from files.

    `ties` as in `ratings.tie_rule`; `style` compares as if answers were equally long and marked up. `language` and
    `category` "" take every vote. `tainted` counts battles in which a model told its name, too.
    """

    modes: tuple[str, ...] = (Mode.BLIND, Mode.DUEL)
    ties: str = "apart"
    style: bool = False
    language: str = ""
    category: str = ""
    tainted: bool = False


class Arena(Protocol):
    """Comparisons of one owner. Safe to use from many threads.

    Methods that take a comparison raise UnknownConversation when `owner` has none with that id; all may raise
    StorageError. What the gate blocks ends one side and leaves the others running.
    """

    def start(self, owner: str, mode: Mode, sides: Sequence[SideRequest], language: Language) -> Comparison:
        """A new comparison of two to four models; blind ones are given none and draw their pair.

        Raises InvalidRequest, UnknownModel, OutOfMemory (a model fits not even alone).
        """
        ...

    def plan(self, models: Sequence[str]) -> Schedule:
        """How these models would answer, before anything is started. Raises as `start` does."""
        ...

    def ask(self, owner: str, comparison_id: str, text: str, *, only: int | None = None) -> ComparisonView:
        """The same question to every side, or to one of them, which then goes on alone.

        Raises InvalidRequest, MessageTooLong, Busy. A question that the gate blocks is shown as blocked on every side
        and stored nowhere.
        """
        ...

    def retry(self, owner: str, comparison_id: str, position: int) -> ComparisonView:
        """Answer the newest question of one side again; in a blind battle one that has no answer to judge."""
        ...

    def stop(self, owner: str, comparison_id: str, position: int | None = None) -> None:
        """Stop one side or all; of a blind battle always all, since one alone would show which had ended before."""
        ...

    def change_side(self, owner: str, comparison_id: str, position: int, request: SideRequest | None) -> Comparison:
        """Another model or other settings on a side, one more (`position` after the last), or one less (None).

        A changed side goes on with its own turns, a further one with those of the first; who wrote which stays known.
        A vote on the two first sides stays kept for them as they were; the next one waits until a changed side has
        answered. Raises InvalidRequest for fewer than two or more than four sides, and for a blind battle; Busy.
        """
        ...

    def view(self, owner: str, comparison_id: str) -> ComparisonView:
        """As it may be shown right now."""
        ...

    def wait(self, owner: str, comparison_id: str, version: int, timeout: float) -> ComparisonView:
        """The view once its version is beyond `version`, or as it is after `timeout` seconds."""
        ...

    def vote(self, owner: str, comparison_id: str, winner: Winner) -> ComparisonView:
        """Vote, or change one's mind; a blind battle is revealed by its first vote, a pair of a batch is not.

        Raises InvalidRequest while a side is still writing, for a comparison without exactly two answers, and for two
        of one model.
        """
        ...

    def detach(self, owner: str, comparison_id: str, position: int) -> str:
        """Open a side as a normal chat: a copy of its conversation, whose id is returned. Not while blind."""
        ...

    def listed(self, owner: str) -> list[Comparison]:
        """The newest comparisons first."""
        ...

    def delete(self, owner: str, comparison_id: str) -> None:
        """Put a comparison away, and stop its answers; it can be restored for a day. Its vote stays."""
        ...

    def restore(self, owner: str, comparison_id: str) -> None:
        """Undo `delete`."""
        ...

    def surprise(self, owner: str, comparison_id: str, language: Language) -> SurpriseView:
        """How probable each model finds each answer; not while blind. `language` is that of the page.

        Raises InvalidRequest while there is no answer at all, Busy while one is written.
        """
        ...

    def leaderboard(self, choice: TableChoice) -> Leaderboard:
        """The table of these votes. Raises InvalidRequest when there are none on two models, or of an unknown kind."""
        ...
