"""The arena's page as plain data, and what people can do to it. No Gradio here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from playground.arena.contract import MOST_SIDES, Arena, ComparisonView, Mode, SideRequest, Winner
from playground.arena.grading import Queue
from playground.domain import Blocked, Direction, Verdict
from playground.errors import InvalidRequest, PlaygroundError
from playground.review.desk import ReportDesk
from playground.ui.arena.side_view import reportable
from playground.ui.chat_view import Outcome
from playground.ui.notice_view import Notice, error_notice, verdict_notice
from playground.ui.words import Words

Tab = Literal["sides", "battle", "duels", "board"]
TABS: tuple[Tab, ...] = ("sides", "battle", "duels", "board")
LEAST_SIDES = 2
WINDOW = 30
"""How many of the last messages each column shows at once."""

WINNERS: Mapping[str, Winner] = {"a": "model_a", "b": "model_b", "tie": "tie", "bad": "tie (bothbad)"}
"""What the page's buttons stand for."""


@dataclass(frozen=True, slots=True)
class ArenaView:
    """One browser tab of one person.

    `sides` are the models chosen for the next comparison, `named` and `blind` the comparisons on display in the two
    first tabs; `pair` is one of the batch `duel`, and `queue` tells how far its grading is. `only` is the side that the
    next question is meant for (None: all). `ticket` is the page's name for the last message it sent, and `outcome`
    tells whether it was taken.
    """

    owner: str
    sides: tuple[SideRequest, ...]
    tab: Tab = "sides"
    named: ComparisonView | None = None
    blind: ComparisonView | None = None
    duel: str = ""
    pair: ComparisonView | None = None
    queue: Queue | None = None
    only: int | None = None
    window: int = WINDOW
    notice: Notice | None = None
    ticket: str = ""
    outcome: Outcome = "taken"

    @property
    def shown(self) -> ComparisonView | None:
        """The comparison on display."""
        return {"sides": self.named, "battle": self.blind, "duels": self.pair, "board": None}[self.tab]

    @property
    def busy(self) -> bool:
        """Whether a side of the comparison on display is writing."""
        return self.shown is not None and any(side.running for side in self.shown.sides)

    @property
    def reportable(self) -> frozenset[str]:
        """Ids of the answers and decisions on display; none while nothing may tell who answers."""
        sides = self.shown.sides if self.shown is not None and not self.hidden else ()
        receipts = {self.notice.receipt} if self.notice and self.notice.receipt else set()
        return frozenset(receipts).union(*(reportable(side, self.window) for side in sides))

    @property
    def hidden(self) -> bool:
        """Whether nothing may tell who answers."""
        return self.tab in {"battle", "duels"} and not (self.shown is not None and self.shown.comparison.revealed)

    @property
    def places(self) -> int:
        """How many columns there are."""
        if self.shown is not None:
            return len(self.shown.sides)
        return LEAST_SIDES if self.tab == "battle" else len(self.sides)


def read_tab(name: str) -> Tab:
    """A tab by its name. Raises InvalidRequest for one that does not exist."""
    for tab in TABS:
        if tab == name:
            return tab
    raise InvalidRequest(f"There is no tab {name!r:.40}. There are: {', '.join(TABS)}.")


def read_winner(name: str) -> Winner:
    """A vote by its button's name. Raises InvalidRequest for one that does not exist."""
    if name not in WINNERS:
        raise InvalidRequest(f"There is no vote {name!r:.40}. There are: {', '.join(WINNERS)}.")
    return WINNERS[name]


def switched(view: ArenaView, tab: Tab, arena: Arena) -> ArenaView:
    """Another tab; what is on display there is read again."""
    return refreshed(replace(view, tab=tab, notice=None, only=None, window=WINDOW), arena)


def opened(view: ArenaView, arena: Arena, comparison_id: str) -> ArenaView:
    """An earlier comparison, in the tab where it belongs.

    Raises UnknownConversation, and InvalidRequest for a pair of a batch: these come one after the other.
    """
    seen = arena.view(view.owner, comparison_id)
    if seen.comparison.mode is Mode.DUEL:
        raise InvalidRequest("This pair belongs to a batch. Open “Batch” to grade its pairs one after the other.")
    return _showing(replace(view, notice=None, only=None, window=WINDOW), seen)


def without(view: ArenaView, comparison_id: str) -> ArenaView:
    """The view after a comparison was put away."""
    named, blind = (
        None if seen is not None and seen.comparison.id == comparison_id else seen for seen in (view.named, view.blind)
    )
    return replace(view, named=named, blind=blind, notice=None, only=None)


def closed(view: ArenaView) -> ArenaView:
    """The same models, or a new blind pair, and nothing asked yet."""
    if view.tab == "duels":
        return replace(view, duel="", pair=None, queue=None, notice=None)
    if view.tab == "battle":
        return replace(view, blind=None, notice=None, only=None, window=WINDOW)
    return replace(view, named=None, notice=None, only=None, window=WINDOW)


def composed(view: ArenaView, models: Sequence[str]) -> ArenaView:
    """A new comparison of these models. Raises InvalidRequest when they are too few or too many."""
    if not LEAST_SIDES <= len(models) <= MOST_SIDES:
        raise InvalidRequest(f"A comparison has {LEAST_SIDES} to {MOST_SIDES} models; the address names {len(models)}.")
    return replace(closed(replace(view, tab="sides")), sides=tuple(SideRequest(model) for model in models))


def refreshed(view: ArenaView, arena: Arena) -> ArenaView:
    """The same comparison, read again; the notice stays. A pair of a batch does not change while it is graded."""
    if view.shown is None or view.tab == "duels":
        return view
    return _showing(view, arena.view(view.owner, view.shown.comparison.id))


def sent(view: ArenaView, arena: Arena, words: Words, *, text: str, ticket: str) -> ArenaView:
    """Ask all sides, or the one that was chosen. What cannot be asked is given back, with a notice.

    A comparison that had to be started first stays.
    """
    if not text.strip():
        raise InvalidRequest(words("error.empty"))
    try:
        view = _started(view, arena, words)
        asked = arena.ask(view.owner, on_display(view).comparison.id, text, only=view.only)
    except PlaygroundError as error:
        return failed(view, words, error, ticket)
    view = replace(_showing(view, asked), ticket=ticket)
    refusal = _refusal(asked, view.only)
    if refusal is not None:
        return replace(view, notice=verdict_notice(refusal, words), outcome="refused")
    return replace(view, notice=None, outcome="taken")


def _started(view: ArenaView, arena: Arena, words: Words) -> ArenaView:
    if view.shown is not None:
        return view
    mode, sides = (Mode.BLIND, ()) if view.tab == "battle" else (Mode.NAMED, view.sides)
    comparison = arena.start(view.owner, mode, sides, words.language)
    return _showing(view, arena.view(view.owner, comparison.id))


def _refusal(asked: ComparisonView, only: int | None) -> Verdict | None:
    """The decision that kept the question from every side it was meant for."""
    verdicts = [
        side.end.verdict if isinstance(side.end, Blocked) and side.end.verdict.direction is Direction.INPUT else None
        for side in asked.sides
        if only is None or side.position == only
    ]
    return verdicts[0] if verdicts and all(verdict is not None for verdict in verdicts) else None


def retried(view: ArenaView, arena: Arena, position: int) -> ArenaView:
    """The newest question of one side again."""
    view = replace(view, notice=None)
    return _showing(view, arena.retry(view.owner, on_display(view).comparison.id, position))


def changed(view: ArenaView, arena: Arena, position: int, request: SideRequest | None) -> ArenaView:
    """Another model or other settings on a side; a further side; or one less (None).

    Raises InvalidRequest when that leaves fewer than two or more than four, and in a blind battle.
    """
    if view.tab != "sides":
        raise InvalidRequest("The models of a blind battle are drawn. Open “Side by side” to choose them.")
    view = replace(view, notice=None, only=None)
    if view.named is not None:
        arena.change_side(view.owner, view.named.comparison.id, position, request)
        return refreshed(view, arena)
    sides = list(view.sides)
    sides[position : position + 1] = [] if request is None else [request]
    if not 0 <= position <= len(view.sides) or not LEAST_SIDES <= len(sides) <= MOST_SIDES:
        raise InvalidRequest(f"A comparison has {LEAST_SIDES} to {MOST_SIDES} models.")
    return replace(view, sides=tuple(sides))


def voted(view: ArenaView, arena: Arena, winner: Winner) -> ArenaView:
    """Vote, or change one's mind. Raises InvalidRequest while a side is still writing."""
    view = replace(view, notice=None)
    return _showing(view, arena.vote(view.owner, on_display(view).comparison.id, winner))


def reported(view: ArenaView, desk: ReportDesk, receipt: str, text: str) -> ArenaView:
    """Tell the operator that this decision was a mistake; `text` are the person's own words, if they are to be kept.

    Raises UnknownDecision, also for somebody else's.
    """
    desk.report_decision(view.owner, receipt, text)
    return view


def flagged(view: ArenaView, desk: ReportDesk, words: Words, position: int) -> ArenaView:
    """Tell the operator that a side's newest answer should have been flagged.

    Raises InvalidRequest while a battle is blind, and when there is no answer.
    """
    sides = on_display(view).sides
    if view.hidden:
        raise InvalidRequest("Vote first; then an answer can be reported.")
    messages = sides[position].messages if position < len(sides) else ()
    if not messages:
        raise InvalidRequest("There is no answer to report here.")
    desk.report_answer(view.owner, messages[-1], words.language)
    return view


def aimed(view: ArenaView, position: int | None) -> ArenaView:
    """The next question is for this side only, or for all (None)."""
    known = position is None or 0 <= position < view.places
    return replace(view, only=position if known and not view.hidden else None)


def widened(view: ArenaView) -> ArenaView:
    """Show more of the messages before the window."""
    return replace(view, window=view.window + WINDOW)


def failed(view: ArenaView, words: Words, error: PlaygroundError, ticket: str = "") -> ArenaView:
    """Tell about an error. A message that was being sent is given back."""
    notice = error_notice(error, words)
    if view.hidden and not isinstance(error, InvalidRequest):
        notice = replace(notice, text=words.find(f"error.{error.code}") or words("error.error"))
    view = replace(view, notice=notice)
    return replace(view, ticket=ticket, outcome="refused") if ticket else view


def followed(view: ArenaView, seen: ComparisonView) -> ArenaView:
    """The comparison on display as it is now."""
    return replace(view, blind=seen) if view.tab == "battle" else replace(view, named=seen)


def on_display(view: ArenaView) -> ComparisonView:
    """The comparison on display. Raises InvalidRequest when there is none yet."""
    if view.shown is None:
        raise InvalidRequest("There is no comparison yet. Write a message first.")
    return view.shown


def _showing(view: ArenaView, seen: ComparisonView) -> ArenaView:
    comparison = seen.comparison
    if comparison.mode is not Mode.NAMED:
        return replace(view, tab="battle", blind=seen)
    sides = tuple(SideRequest(side.model_id, side.params, side.system_prompt) for side in comparison.sides)
    return replace(view, tab="sides", named=seen, sides=sides)
