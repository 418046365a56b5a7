"""Everything above the composer as the page draws it: the columns, the plan, the ballot. No Gradio here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from playground.arena.contract import MOST_SIDES, Arena, ComparisonView, Schedule, SideRequest
from playground.catalog.catalog import Catalog
from playground.errors import PlaygroundError
from playground.ui.arena.compare_view import LEAST_SIDES, WINNERS, ArenaView, Tab
from playground.ui.arena.side_view import LETTERS, Pulse, SideCard, model_name, side_card
from playground.ui.chat_view import ChatView
from playground.ui.live_view import Live
from playground.ui.notice_view import error_notice
from playground.ui.picker_view import Situation, model_cards
from playground.ui.settings_view import SettingsView, settings_view
from playground.ui.words import Words

RESULTS: Mapping[str, str] = {
    "model_a": "arena.result_a",
    "model_b": "arena.result_b",
    "tie": "arena.result_tie",
    "tie (bothbad)": "arena.result_bad",
}


@dataclass(frozen=True, slots=True)
class Seat:
    """What is known of the model in a column before it answers; `settings` None for one that is unknown or hidden."""

    description: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    settings: SettingsView | None = None


@dataclass(frozen=True, slots=True)
class Ballot:
    """The vote. `open` when it can be cast; `chosen` is the button's name of the vote that was; `result` tells it.

    `hint` says what has to happen before it can be cast; `closed` why there is nothing to vote on, and then there are
    no buttons.
    """

    shown: bool
    open: bool = False
    chosen: str = ""
    result: str = ""
    note: str = ""
    hint: str = ""
    closed: str = ""


@dataclass(frozen=True, slots=True)
class StageView:
    """What stands on the page. `plan` says whether the models answer together or one after the other."""

    tab: Tab
    duel: str
    comparison: str
    blind: bool
    empty: bool
    busy: bool
    only: int | None
    aim: str
    plan: str
    may_add: bool
    may_remove: bool
    cards: tuple[SideCard, ...]
    seats: tuple[Seat, ...]
    ballot: Ballot
    summary: str = ""


def stage_view(view: ArenaView, catalog: Catalog, words: Words, foreseen: str = "") -> StageView:
    """The page for a view; `foreseen` is the plan for a comparison that has not begun, see `foresee`."""
    shown = view.shown
    cards = _cards(view, catalog, words)
    free = view.tab == "sides" and not view.busy
    return StageView(
        tab=view.tab,
        duel=view.duel,
        comparison=shown.comparison.id if shown else "",
        blind=view.hidden,
        empty=not (shown and any(side.messages for side in shown.sides)),
        busy=view.busy,
        only=view.only,
        aim="" if view.only is None else words("arena.aimed", name=cards[view.only].name),
        plan=_told_plan(view, words, foreseen),
        may_add=free and len(cards) < MOST_SIDES,
        may_remove=free and len(cards) > LEAST_SIDES,
        cards=cards,
        seats=() if view.hidden else tuple(_seat(view, request, catalog, words) for request in _requests(view)),
        ballot=_ballot(view, shown, cards, words),
    )


def _told_plan(view: ArenaView, words: Words, foreseen: str) -> str:
    if view.tab == "duels":
        return ""
    return _plan(view.shown.comparison.schedule, words, blind=view.hidden) if view.shown else foreseen


def _cards(view: ArenaView, catalog: Catalog, words: Words) -> tuple[SideCard, ...]:
    if view.shown is not None:
        return tuple(
            side_card(side, catalog, words, blind=view.hidden, window=view.window) for side in view.shown.sides
        )
    if view.tab in {"duels", "board"}:
        return ()
    idle = Pulse(answer="", running=False, live=Live(), figures=(), outcome="")
    models = ("", "") if view.hidden else tuple(side.model_id for side in view.sides)
    return tuple(
        SideCard(at, LETTERS[at], _seat_name(at, model, catalog, words), model, "", (), (), 0, idle)
        for at, model in enumerate(models)
    )


def _seat_name(at: int, model: str, catalog: Catalog, words: Words) -> str:
    return model_name(model, catalog) if model else words("arena.side", letter=LETTERS[at])


def _requests(view: ArenaView) -> tuple[SideRequest, ...]:
    if view.tab == "sides":
        return view.sides
    return tuple(
        SideRequest(side.model_id, side.params, side.system_prompt)
        for side in (view.shown.comparison.sides if view.shown else ())
    )


def _seat(view: ArenaView, request: SideRequest, catalog: Catalog, words: Words) -> Seat:
    if request.model_id not in catalog:
        return Seat()
    spec = catalog.get(request.model_id)
    (card,) = model_cards([spec], Situation(), words)
    chosen = ChatView(view.owner, spec.id, system_prompt=request.system_prompt, params=request.params)
    return Seat(card.description, card.facts, settings_view(chosen, spec))


def foresee(view: ArenaView, arena: Arena, words: Words) -> str:
    """Before the first question: whether the chosen models will answer together, or why they cannot."""
    if view.tab != "sides" or view.shown is not None:
        return ""
    try:
        return _plan(arena.plan([side.model_id for side in view.sides]), words, blind=False)
    except PlaygroundError as error:
        return error_notice(error, words).text


def _plan(schedule: Schedule, words: Words, *, blind: bool) -> str:
    if schedule is Schedule.TOGETHER:
        return words("arena.plan_together")
    return words("arena.plan_in_turn_blind" if blind else "arena.plan_in_turn")


def _ballot(view: ArenaView, shown: ComparisonView | None, cards: tuple[SideCard, ...], words: Words) -> Ballot:
    if shown is None or len(shown.sides) != LEAST_SIDES or not any(side.messages for side in shown.sides):
        return Ballot(shown=False)
    if shown.comparison.one_model:
        return Ballot(shown=True, closed=words("arena.one_model"))
    winner = shown.comparison.winner
    chosen = next((name for name, value in WINNERS.items() if value == winner), "")
    first, second = (card.name for card in cards)
    return Ballot(
        shown=True,
        open=shown.may_vote and not view.busy,
        chosen=chosen,
        result=words(RESULTS[winner], a=first, b=second) if winner else "",
        note=words("arena.tainted") if shown.comparison.tainted and shown.comparison.revealed else "",
        hint="" if view.busy or winner else _hint(shown, words),
    )


def _hint(shown: ComparisonView, words: Words) -> str:
    if any(side.changed for side in shown.sides):
        return words("arena.vote_changed")
    return "" if all(side.answered for side in shown.sides) else words("arena.vote_unanswered")
