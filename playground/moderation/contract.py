"""What a detector is, and what the gate offers to the rest of the house."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from playground.domain import Direction, Finding, Language, Verdict

Scope = Literal["span", "unit"]


class Detector(Protocol):
    """Finds one kind of thing in text.

    `reach` is how many characters around a position can change what is found there: the guard holds back at least
    that much of a stream. `name` and `version` go into every receipt.

    `scope` "span": what it finds has its own place in the text, and does not change with the text around it beyond
    `reach`. "unit": it judges a piece of text as a whole, as a classifier does; it is shown one unit at a time, and is
    not asked about the seam of two messages, where it would hold the earlier one against the newer.

    A detector may say more: `prompt` True when its cost is linear in the text and it waits for nothing, so that it
    needs no thread for its time limit; `scan_batch(texts) -> list of findings per text` when many texts at once are
    cheaper than one by one.
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


class OutputGuard(Protocol):
    """Screens one stream of text; made new for every answer (one for the text, one for the reasoning).

    Cost is linear in the text. After a blocking result nothing more is released.
    """

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

    def check_input(
        self, text: str, *, context: Sequence[str] = (), language: Language = "en", model_id: str = ""
    ) -> Screened:
        """Screen what a person typed; `context` are the earlier turns, newest last.

        A detector that cannot run never raises here: the policy turns it into a blocking or a degraded verdict.
        """
        ...

    def guard(
        self, direction: Direction = Direction.OUTPUT, *, language: Language = "en", model_id: str = ""
    ) -> OutputGuard:
        """A new guard for one stream."""
        ...
