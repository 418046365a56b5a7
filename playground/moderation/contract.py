"""What a detector is, and what the gate offers to the rest of the house."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, cast

from playground.domain import Direction, Finding, Language, Verdict

Scope = Literal["span", "unit", "text"]


class Detector(Protocol):
    """Finds one kind of thing in text.

    `reach` is how many characters around a position can change what is found there: the guard holds back at least
    that much of a stream. `name` and `version` go into every receipt.

    `scope` "span": what it finds has its own place in the text, and does not change with the text around it beyond
    `reach`. "unit": it judges a piece of text as a whole, as a classifier does; it is shown one unit at a time, and is
    not asked about the seam of two messages, where it would hold the earlier one against the newer. "text": as "unit",
    but what a person typed is shown to it as one piece and not sentence by sentence: it reads texts of any length
    itself, and every look is dear.

    A detector may say more: `prompt` True when its cost is linear in the text and it waits for nothing, so that it
    needs no thread for its time limit; `scan_batch(texts) -> list of findings per text` when many texts at once are
    cheaper than one by one; `facing(direction, context) -> Detector` when it asks other questions about what a person
    types than about what a model writes, or looks at what was said before (`context`, the earlier turns, newest last).
    """

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def reach(self) -> int: ...

    @property
    def scope(self) -> Scope: ...

    def scan(self, text: str) -> list[Finding]:
        """Everything found in `text`, with spans into `text` as given (not into a normalised copy).

        Raises DetectorUnavailable when the detector cannot do its work.
        """
        ...

    def unsettled(self, text: str) -> int:
        """How many characters at the end of `text` could still become part of a finding when more text follows.

        At most `reach`. Lets a guard release more than `len(text) - reach` characters.
        """
        ...


def facing(detector: Detector, direction: Direction, context: Sequence[str] = ()) -> Detector:
    """The detector as it looks at texts of that direction after those turns."""
    turned = getattr(detector, "facing", None)
    return detector if turned is None else cast("Detector", turned(direction, context))


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a prompt. In `markup` the model's control tokens count; in people's words they are plain text."""

    text: str
    markup: bool = False


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model wrote, and its most probable first tokens as (text, natural-log probability), the likeliest first.

    `first` is empty when none were asked for, or the engine does not tell them.
    """

    text: str
    first: tuple[tuple[str, float], ...] = ()


class TextModel(Protocol):
    """A language model that goes on with a prompt: all that guard models need to know of engines.

    Every method but `version` raises DetectorUnavailable, with a sentence that has a next step, when the model is not
    there, fails, or is not done within its time.
    """

    @property
    def version(self) -> str:
        """The model's id, and its revision once that is known. Never raises."""
        ...

    def context_length(self) -> int:
        """Tokens that prompt and answer may have together."""
        ...

    def measure(self, pieces: Sequence[Piece]) -> int:
        """Tokens of a prompt."""
        ...

    def complete(self, pieces: Sequence[Piece], *, max_tokens: int, alternatives: int) -> Completion:
        """The likeliest continuation, greedily, and up to `alternatives` (0 to 20) likeliest first tokens."""
        ...


@dataclass(frozen=True, slots=True)
class Screened:
    """Text that may be used (shown, stored, sent on), and the decision if there was anything to decide.

    With a blocking verdict `text` is empty for input; for output it is what was cleared before the offending unit.
    """

    text: str
    verdict: Verdict | None = None

    @property
    def blocked(self) -> bool:
        """Whether the verdict ends the matter."""
        return self.verdict is not None and self.verdict.action == "block"


Observe = Callable[[Direction, float], None]
"""Hears of every look at a text, or at some more of a stream, and how many seconds it took."""


def unobserved(direction: Direction, seconds: float) -> None:
    """Nobody measures."""


class OutputGuard(Protocol):
    """Screens one stream of text; made new for every answer (one for the text, one for the reasoning).

    Cost is linear in the text. After a blocking result nothing more is released.
    """

    def resume(self, released: str) -> str:
        """Go on after a text that was released; returns the end of it, which is screened again together with the rest.

        To be called first.
        """
        ...

    def feed(self, delta: str) -> Screened:
        """Take in more text; returns what is cleared by now (often nothing)."""
        ...

    def finish(self) -> Screened:
        """The stream has ended; returns the rest, or a blocking verdict."""
        ...

    @property
    def held(self) -> int:
        """How many characters are held back right now."""
        ...

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Every decision so far (warned, redacted, blocked)."""
        ...


class Moderator(Protocol):
    """The gate: the only way in to a model and the only way out of it."""

    def tailors(self, model_id: str) -> bool:
        """Whether there are rules of their own for this model, so that its texts cannot be screened as any model's."""
        ...

    def check_input(
        self, text: str, *, context: Sequence[str] = (), language: Language = "en", model_id: str = ""
    ) -> Screened:
        """Screen what a person typed; `context` are the earlier turns, newest last.

        A detector that cannot run never raises here: the policy turns it into a blocking or a degraded verdict.
        """
        ...

    def guard(
        self,
        direction: Direction = Direction.OUTPUT,
        *,
        context: Sequence[str] = (),
        language: Language = "en",
        model_id: str = "",
        counted: bool = True,
    ) -> OutputGuard:
        """A new guard for one stream; `context` are the turns before it, newest last.

        `counted` False: what it does is in no figure about how long people wait for the gate.
        """
        ...
