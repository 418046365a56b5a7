"""An answer while it is being written: what the gate cleared goes to the watchers and into the database."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from playground.chat.keeping import AnswerStore, keep_trying
from playground.chat.masking import Mask
from playground.chat.reasoning import Kind, Part, ReasoningSplitter
from playground.chat.run import Run
from playground.chat.token_trail import Teller, TokenTrail
from playground.chat.trail_book import Trail, TrailDraft
from playground.domain import (
    Blocked,
    Checking,
    Failed,
    Finished,
    FinishReason,
    Making,
    Message,
    ReasoningDelta,
    TextDelta,
    Timings,
    TokenScores,
    Usage,
    Verdict,
)
from playground.engines.contract import TokenLogprob
from playground.errors import PlaygroundError, StorageError
from playground.moderation.contract import OutputGuard, Screened

log = logging.getLogger(__name__)

SAVE_SECONDS = 0.25
SAVE_AGAIN_SECONDS = 2.0
CHECKING_SECONDS = 0.25


class Draft:
    """One answer, from its first piece to its end. Only released text is ever kept, shown or stored.

    `new_guard` makes the guard for a stream: one for the answer, one for every stretch of reasoning. `mask`:
    watchers are told the tokens of what is released, with the alternatives that it clears.
    """

    def __init__(
        self,
        run: Run,
        answer: Message,
        store: AnswerStore,
        new_guard: Callable[[], OutputGuard],
        reasoning_tags: tuple[str, str] | None = None,
        *,
        mask: Mask | None = None,
    ) -> None:
        self._run = run
        self._answer = answer
        self._store = store
        self._new_guard = new_guard
        self._tags = reasoning_tags
        self._splitter = ReasoningSplitter(reasoning_tags)
        self._trail = TokenTrail() if mask else None
        self._teller = Teller(mask) if mask else None
        self._kept: TrailDraft | None = None
        self._guards: dict[Kind, OutputGuard] = {}
        self._texts: dict[Kind, list[str]] = {TextDelta: [], ReasoningDelta: []}
        self._settled: list[Verdict] = []
        self._blocked: Verdict | None = None
        self._unsaved = False
        self._told_at = time.monotonic()
        self._save_at = self._told_at + SAVE_SECONDS
        self.dropped_messages = 0
        self.received = self.written = ""
        """Hashes of the tokens of prompt and answer, as far as they are known."""

    @property
    def blocked(self) -> bool:
        """Whether the gate said no: nothing more is released then."""
        return self._blocked is not None

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Every decision about this answer."""
        return (*self._settled, *(verdict for guard in self._guards.values() for verdict in guard.verdicts))

    @property
    def told(self) -> tuple[Verdict, ...]:
        """Those that people are told about."""
        return tuple(verdict for verdict in self.verdicts if not verdict.silent)

    def begin_with_thoughts(self) -> None:
        """The prompt ends with the opening tag: to be called before the first piece."""
        self._splitter = ReasoningSplitter(self._tags, thinking=True)

    def keep_tokens(self) -> None:
        """Keep the tokens of what is released as well: to be called before the first piece."""
        self._trail = self._trail or TokenTrail()
        self._kept = TrailDraft()

    @property
    def trail(self) -> Trail | None:
        """The tokens that were kept; None when none were to be kept."""
        if self._kept is None or self._trail is None:
            return None
        return self._kept.finish("".join(self._texts[TextDelta]), heard=self._trail.heard)

    def write(self, piece: str, reasoning: str = "", tokens: Sequence[TokenLogprob] = ()) -> None:
        """Take in what the model wrote, and thought if that came apart; release what is cleared by now."""
        if reasoning:
            self._screen(ReasoningDelta, reasoning)
        if self._trail:
            self._trail.write(piece, tokens)
        self._take(self._splitter.feed(piece))
        self._tell_held()
        if self._unsaved and time.monotonic() >= self._save_at:
            self._save_progress()

    def close(self) -> None:
        """Nothing more will be written: screen what is still held back, and release it or drop it."""
        self._take(self._splitter.finish())
        for kind in list(self._guards):
            self._close_guard(kind)

    def end(self, reason: FinishReason, usage: Usage, timings: Timings) -> None:
        """Store the answer as it is, then tell the watchers; `close` comes first."""
        verdicts = self.told
        stored = replace(
            self._released(),
            finish_reason=FinishReason.CONTENT_FILTER if self._blocked else reason,
            usage=usage,
            timings=timings,
            verdicts=verdicts,
        )
        keep_trying(lambda: self._store.finish(stored), self._run)
        if self._blocked:
            self._run.emit(Blocked(self._blocked, usage, verdicts))
        else:
            self._run.emit(Finished(reason, usage, timings, self.dropped_messages, verdicts))

    def fail(self, error: PlaygroundError, reason: FinishReason) -> None:
        """Store what was released with the error's code, then tell the watchers its sentence."""
        stored = replace(self._released(), finish_reason=reason, verdicts=self.told, error=error.code)
        try:
            keep_trying(lambda: self._store.finish(stored), self._run)
        except StorageError:
            log.warning("run %s: the end of a failed answer could not be stored", self._run.id)
        self._run.emit(Failed(error.code, str(error)))

    def _released(self) -> Message:
        return replace(
            self._answer,
            content="".join(self._texts[TextDelta]),
            reasoning="".join(self._texts[ReasoningDelta]),
            dropped_messages=self.dropped_messages,
            making=Making(self.received, self.written, self._splitter.frame),
        )

    def _take(self, parts: Sequence[Part]) -> None:
        if self._trail:
            for part in parts:
                if part.kind is TextDelta:
                    self._trail.place(part.start, part.text)
            self._trail.settle(self._splitter.read)
        for part in parts:
            self._screen(part.kind, part.text)

    def _screen(self, kind: Kind, text: str) -> None:
        if self._blocked:
            return
        if kind is TextDelta:
            self._close_guard(ReasoningDelta)
        if kind not in self._guards:
            self._guards[kind] = self._new_guard()
        self._release(kind, self._guards[kind].feed(text), self._guards[kind].held)

    def _close_guard(self, kind: Kind) -> None:
        guard = self._guards.get(kind)
        if guard is None:
            return
        if not self._blocked:
            self._release(kind, guard.finish(), 0)
        self._settled.extend(guard.verdicts)
        del self._guards[kind]

    def _release(self, kind: Kind, screened: Screened, held: int) -> None:
        if self._trail and kind is TextDelta and (tokens := self._trail.release(screened, held)):
            if self._kept:
                self._kept.add(tokens)
            if self._teller:
                self._run.emit(TokenScores(tuple(self._teller.tell(self._trail.text, token) for token in tokens)))
        if screened.text:
            self._texts[kind].append(screened.text)
            self._unsaved = True
            self._told_at = time.monotonic()
            self._run.emit(kind(screened.text))
        if screened.blocked:
            self._blocked = screened.verdict
        elif screened.verdict is not None:
            self._run.note(self.told)

    def _tell_held(self) -> None:
        held = sum(guard.held for guard in self._guards.values())
        now = time.monotonic()
        if held and not self._blocked and now - self._told_at >= CHECKING_SECONDS:
            self._told_at = now
            self._run.emit(Checking(held))

    def _save_progress(self) -> None:
        released = self._released()
        try:
            self._store.save_progress(released.id, released.content, released.reasoning)
        except StorageError:  # the end is stored again, and says so when that fails too
            log.warning("run %s: progress could not be stored", self._run.id)
            self._save_at = time.monotonic() + SAVE_AGAIN_SECONDS
        else:
            self._save_at = time.monotonic() + SAVE_SECONDS
            self._unsaved = False
