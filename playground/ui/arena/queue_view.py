"""Grading a batch as the page draws it, and what whoever grades can do. No Gradio here."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Literal

from playground.arena.contract import ComparisonView, Winner
from playground.arena.grading import MOST_SHOWN, Grading, Queue
from playground.arena.service import ArenaService
from playground.catalog.catalog import Catalog
from playground.errors import UnknownConversation
from playground.storage.duels import Tally
from playground.ui.arena.compare_view import WINNERS, ArenaView
from playground.ui.arena.side_view import model_name
from playground.ui.notice_view import Notice
from playground.ui.words import Words

HEADS = ("model", "wins", "losses", "ties", "bad")
Ending = Literal["nothing", "graded", "results"]


@dataclass(frozen=True, slots=True)
class Line:
    """A pair whose names are known, in a list: its question, the names left and right, and the vote in words."""

    id: str
    title: str
    names: tuple[str, str]
    winner: str
    vote: str


@dataclass(frozen=True, slots=True)
class QueueView:
    """What stands above the columns, or in their place.

    `phase`: "desk" no batch is open, "grading" a pair waits for its vote, "end" nothing waits or the results are
    shown, "looking" a pair is shown with its names. `place` says how far it is, `fraction` of the whole. `may` names
    what can be done: "skip", "undo", "reveal", "next" and "results".
    """

    phase: str
    place: str = ""
    fraction: float = 0.0
    question: str = ""
    title: str = ""
    text: str = ""
    rest: int = 0
    may: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    scores: tuple[tuple[str, ...], ...] = ()
    lines: tuple[Line, ...] = ()
    cut: str = ""
    notice: Notice | None = None


def entered(view: ArenaView, grading: Grading, duel_id: str) -> ArenaView:
    """A batch, at its next pair. Raises UnknownConversation, UnknownModel."""
    return _at_next(replace(view, tab="duels", duel=duel_id, pair=None, notice=None, only=None), grading)


def graded(view: ArenaView, arena: ArenaService, words: Words, winner: Winner, pair_id: str) -> ArenaView:
    """Vote on the pair on display, and go on. A vote meant for another pair (a key pressed twice) is dropped."""
    if view.pair is None or view.pair.comparison.id != pair_id or view.pair.comparison.revealed:
        return view
    view = replace(view, notice=None)
    try:
        arena.vote(view.owner, pair_id, winner)
    except UnknownConversation:  # it lay here for so long that somebody else was given it
        view = replace(view, notice=Notice("stopped", words("duels.gone")))
    return _at_next(view, arena.grading)


def skipped(view: ArenaView, grading: Grading, words: Words, pair_id: str) -> ArenaView:
    """Put the pair on display behind all others."""
    if view.pair is None or view.pair.comparison.id != pair_id or view.pair.comparison.revealed:
        return view
    try:
        grading.skip(view.owner, pair_id)
    except UnknownConversation:
        view = replace(view, pair=None)
    view = _at_next(replace(view, notice=None), grading)
    if view.pair is not None and view.pair.comparison.id == pair_id:
        return replace(view, notice=Notice("stopped", words("duels.only_one")))
    return view


def undone(view: ArenaView, grading: Grading, pair_id: str) -> ArenaView:
    """The last vote is taken back, unless another pair than `pair_id` is on display ("": none is): a key pressed twice.

    Raises InvalidRequest when there is none.
    """
    if pair_id != (view.pair.comparison.id if view.pair else ""):
        return view
    pair = grading.undo(view.owner, view.duel)
    return _with(replace(view, notice=None), grading, pair)


def revealed(view: ArenaView, grading: Grading) -> ArenaView:
    """The names of all pairs that were graded."""
    grading.reveal(view.owner, view.duel)
    return _with(replace(view, notice=None), grading, None)


def looked(view: ArenaView, arena: ArenaService, pair_id: str) -> ArenaView:
    """A graded pair with its names. Raises UnknownConversation."""
    return _with(replace(view, notice=None), arena.grading, arena.view(view.owner, pair_id))


def summed_up(view: ArenaView, grading: Grading) -> ArenaView:
    """The results again."""
    return _with(replace(view, notice=None), grading, None)


def _at_next(view: ArenaView, grading: Grading) -> ArenaView:
    return _with(view, grading, grading.next(view.owner, view.duel))


def _with(view: ArenaView, grading: Grading, pair: ComparisonView | None) -> ArenaView:
    return replace(view, pair=pair, queue=grading.queue(view.owner, view.duel, results=pair is None))


def queue_view(view: ArenaView, catalog: Catalog, words: Words) -> dict[str, object]:
    """The page for a view; little of it while another tab is open."""
    if view.tab != "duels" or view.queue is None:
        return asdict(QueueView("desk", notice=view.notice if view.tab == "duels" else None))
    tally = view.queue.tally
    if view.pair is None:
        return asdict(_end(view.queue, catalog, words, view.notice))
    if view.pair.comparison.revealed:
        return asdict(QueueView("looking", question=_question(view.pair), may=("results",)))
    place = words("duels.place", at=words.number(tally.graded + 1), of=words.number(tally.pairs))
    return asdict(
        QueueView(
            "grading",
            place=place,
            fraction=_fraction(tally),
            question=_question(view.pair),
            may=("skip", *_may(tally)),
        )
    )


def _fraction(tally: Tally) -> float:
    return tally.graded / max(1, tally.pairs)


def _may(tally: Tally) -> tuple[str, ...]:
    return ("undo", "reveal") if tally.hidden else ()


def _question(pair: ComparisonView) -> str:
    return next((message.content for message in pair.sides[0].messages if message.role == "user"), "")


def _end(queue: Queue, catalog: Catalog, words: Words, notice: Notice | None) -> QueueView:
    tally = queue.tally
    names = {score.model_id: model_name(score.model_id, catalog) for score in queue.scores}
    buttons: dict[str, str] = {winner: button for button, winner in WINNERS.items()}
    lines = tuple(
        Line(
            pair.id,
            pair.title,
            (names[pair.models[0]], names[pair.models[1]]),
            buttons[pair.winner],
            words(f"arena.vote_{buttons[pair.winner]}"),
        )
        for pair in queue.graded
    )
    scores = tuple(
        (names[score.model_id], *(words.number(count) for count in (score.wins, score.losses, score.ties, score.bad)))
        for score in queue.scores
    )
    key = _ending(tally)
    counts = {"graded": words.number(tally.mine), "pairs": words.number(tally.pairs), "left": words.number(tally.left)}
    return QueueView(
        "end",
        place=words("duels.place_end", **counts),
        fraction=_fraction(tally),
        title=words(f"duels.{key}_title", **counts),
        text=words(f"duels.{key}_text", **counts),
        rest=tally.left,
        may=(*_may(tally), *(("next",) if tally.left else ())),
        head=tuple(words(f"duels.head_{name}") for name in HEADS),
        scores=scores,
        lines=lines,
        cut=words("duels.cut", count=words.number(MOST_SHOWN)) if tally.mine - tally.hidden > MOST_SHOWN else "",
        notice=notice,
    )


def _ending(tally: Tally) -> Ending:
    """Which words the end has: nothing was there, names are hidden yet, or they are shown."""
    if not tally.mine:
        return "nothing"
    if tally.hidden:
        return "graded"
    return "results"
