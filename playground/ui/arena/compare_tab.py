"""Side by side and blind battle: up to four of Gradio's chats in columns, islands for everything around them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass

import anyio.to_thread
import gradio as gr
from anyio import CapacityLimiter
from gradio.components import Component
from gradio.events import Dependency

from playground.arena.contract import MOST_SIDES, ComparisonView, SideRequest
from playground.errors import InvalidRequest, PlaygroundError
from playground.ui.arena import compare_view
from playground.ui.arena.canvas import ArenaCanvas, ArenaContext, Change
from playground.ui.arena.compare_view import ArenaView
from playground.ui.arena.parcels import wire_parcels
from playground.ui.arena.side_view import shown_messages, side_card
from playground.ui.arena.stage_view import foresee, stage_view
from playground.ui.canvas import QUIET, Updates
from playground.ui.chat_log import build_chat_log
from playground.ui.chat_tab import HEARTBEAT_SECONDS, LONGEST_ID, LONGEST_TEXT
from playground.ui.island import build_island, read_count, read_field, read_table
from playground.ui.message_view import chat_messages
from playground.ui.pace import Pace
from playground.ui.reporting import known_reports, read_report
from playground.ui.settings_tab import LONGEST_PROMPT
from playground.ui.settings_view import read_params

LONGEST_MODEL = 300
WATCHERS = 256
"""Threads that may wait for news of a comparison at the same time."""
EVENTS = (
    "follow", "refresh", "retry", "stop", "remove", "choose", "settings", "detach", "aim", "fresh", "vote", "earlier",
    "differences", "surprise", "models", "report", "missed",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CompareTab:
    """The components, by name. `pulse` carries what changes while answers grow, `parcel` what was asked for once."""

    stage: gr.HTML
    pulse: gr.HTML
    parcel: gr.HTML
    hero: gr.HTML
    chats: tuple[gr.Chatbot, ...]
    notice: gr.HTML
    composer: gr.HTML

    @property
    def components(self) -> list[Component]:
        """What follows from a view: the keys of `render`."""
        return [self.stage, self.pulse, self.hero, *self.chats, self.notice, self.composer]


def build_compare_tab() -> CompareTab:
    """Lay out the columns and, below them, the dock with ballot, notice and composer."""
    stage = build_island("stage", events=EVENTS)
    pulse, parcel = build_island("pulse"), build_island("parcel")
    hero = build_island("hero")
    with gr.Row(elem_id="columns", equal_height=True):
        chats = tuple(_build_column(position) for position in range(MOST_SIDES))
    with gr.Column(elem_id="dock", min_width=0):
        notice = build_island("notice", events=("report",))
        build_island("ballot")
        composer = build_island("composer", events=("send", "stop"))
    return CompareTab(stage, pulse, parcel, hero, chats, notice, composer)


def _build_column(position: int) -> gr.Chatbot:
    with gr.Column(elem_id=f"column-{position}", elem_classes="column", min_width=0):
        build_island(f"head-{position}")
        chat = build_chat_log(f"chat-{position}", "side-chat")
        build_island(f"foot-{position}")
    return chat


def render(tab: CompareTab, view: ArenaView, context: ArenaContext) -> Updates:
    """The view as component values."""
    services, words = context.services, context.words
    stage = stage_view(view, services.catalog, words, foresee(view, context.arena, words))
    marked = known_reports(services.reports, view.owner, view.reportable)
    told = {"reported": marked, "keeps": services.reports.keep_text}
    return {
        tab.stage: asdict(stage) | {"told": told},
        tab.pulse: {"pulses": [asdict(card.pulse) for card in stage.cards]},
        tab.hero: _hero(view, context),
        **_chats(tab, view, view.shown, context),
        tab.notice: {"notice": view.notice and asdict(view.notice), "ticket": view.ticket, **told},
        tab.composer: {
            "busy": view.busy,
            "limit": services.settings.max_message_chars,
            "checks": services.workbench.policy.checks,
            "ticket": view.ticket,
            "outcome": view.outcome,
        },
    }


def _chats(tab: CompareTab, view: ArenaView, seen: ComparisonView | None, context: ArenaContext) -> Updates:
    sides = {side.position: side for side in seen.sides} if seen else {}
    return {
        chat: _messages(view, seen, position, context) if position in sides else []
        for position, chat in enumerate(tab.chats)
    }


def _messages(
    view: ArenaView, seen: ComparisonView | None, position: int, context: ArenaContext
) -> list[dict[str, object]]:
    if seen is None:
        return []
    side = seen.sides[position]
    return chat_messages(shown_messages(side, view.window, blind=view.hidden), context.words, thinking=side.running)


def _hero(view: ArenaView, context: ArenaContext) -> dict[str, object]:
    words, catalog = context.words, context.services.catalog
    if view.tab == "battle":
        texts = {"title": words("arena.battle_title"), "text": words("arena.battle_text")}
        default = context.services.settings.default_model
    else:
        texts = {"title": words("arena.sides_title"), "text": words("arena.sides_text")}
        default = view.sides[0].model_id
    spec = catalog.get(default) if default in catalog else None
    known = spec.suggestions if spec else {}
    suggestions = known.get(words.language) or known.get("en", ())
    return {**texts, "suggestions": suggestions[:3]}


def wire_following(tab: CompareTab, state: gr.State, context: ArenaContext) -> Dependency:
    """Connect the listener that follows all sides: a few updates a second over all columns together."""
    pace, limiter, arena = Pace(), CapacityLimiter(WATCHERS), context.arena

    async def follow(view: ArenaView | None, request: gr.Request) -> AsyncIterator[Updates]:
        view = context.view(view, request)
        if view.shown is None or not view.busy:
            return
        identity, version = view.shown.comparison.id, -1
        drawn: dict[Component, object] = {}
        with pace.follower():
            while view.busy:
                seen = await anyio.to_thread.run_sync(
                    arena.wait, view.owner, identity, version, HEARTBEAT_SECONDS, limiter=limiter
                )
                view, version = compare_view.followed(view, seen), seen.version
                whole = {**_chats(tab, view, seen, context), tab.pulse: _pulse(view, context)}
                changes = {part: value for part, value in whole.items() if drawn.get(part) != value}
                drawn = whole
                yield changes or {tab.pulse: whole[tab.pulse]}
                await asyncio.sleep(pace.interval)

    outputs: list[Component] = [*tab.chats, tab.pulse]
    following: Dependency = tab.stage.follow(follow, [state], outputs, concurrency_limit=None, **QUIET)
    return following


def _pulse(view: ArenaView, context: ArenaContext) -> dict[str, object]:
    cards = (
        side_card(side, context.services.catalog, context.words, blind=view.hidden, window=view.window)
        for side in (view.shown.sides if view.shown else ())
    )
    return {"pulses": [asdict(card.pulse) for card in cards]}


def wire_compare_tab(tab: CompareTab, canvas: ArenaCanvas) -> None:
    """Connect columns, ballot and composer."""
    context = canvas.context
    arena, words, stage, reports = context.arena, context.words, tab.stage, context.services.reports

    def send(view: ArenaView, event: gr.EventData) -> ArenaView:
        ticket = read_field(event, "ticket", LONGEST_ID)
        try:
            text = read_field(event, "text", LONGEST_TEXT)
            return compare_view.sent(view, arena, words, text=text, ticket=ticket)
        except PlaygroundError as error:
            return compare_view.failed(view, words, error, ticket)

    def choose(view: ArenaView, event: gr.EventData) -> ArenaView:
        spec = context.services.catalog.get(read_field(event, "id", LONGEST_MODEL))
        return compare_view.changed(view, arena, read_count(event, "position", MOST_SIDES - 1), SideRequest(spec.id))

    def report(view: ArenaView, event: gr.EventData) -> ArenaView:
        receipt, judged = read_report(event, context.services.settings.max_message_chars)
        return compare_view.reported(view, reports, receipt, judged)

    canvas.wire(tab.composer.send, send)
    canvas.wire(tab.notice.report, report)
    canvas.wire(stage.report, report)
    canvas.wire(stage.missed, _at(lambda view, position: compare_view.flagged(view, reports, words, position)))
    canvas.wire(stage.choose, choose)
    canvas.wire(stage.settings, _keep_settings(context))
    canvas.wire(stage.remove, _at(lambda view, position: compare_view.changed(view, arena, position, None)))
    canvas.wire(stage.retry, _at(lambda view, position: compare_view.retried(view, arena, position)))
    canvas.wire(stage.aim, _aim)
    canvas.wire(stage.fresh, lambda view, _: compare_view.closed(view))
    canvas.wire(stage.earlier, lambda view, _: compare_view.widened(view))
    canvas.wire(stage.refresh, lambda view, _: compare_view.refreshed(view, arena))
    canvas.wire(stage.vote, _vote(context))
    _wire_stops(tab, canvas)
    wire_parcels(tab.stage, tab.parcel, canvas)


def _at(change: Callable[[ArenaView, int], ArenaView]) -> Change:
    return lambda view, event: change(view, read_count(event, "position", MOST_SIDES - 1))


def _aim(view: ArenaView, event: gr.EventData) -> ArenaView:
    """The place after the last column stands for all."""
    position = read_count(event, "position", MOST_SIDES)
    return compare_view.aimed(view, None if position == MOST_SIDES else position)


def _vote(context: ArenaContext) -> Change:
    def vote(view: ArenaView, event: gr.EventData) -> ArenaView:
        winner = compare_view.read_winner(read_field(event, "winner", LONGEST_ID))
        return compare_view.voted(view, context.arena, winner)

    return vote


def _keep_settings(context: ArenaContext) -> Change:
    def keep(view: ArenaView, event: gr.EventData) -> ArenaView:
        position = read_count(event, "position", MOST_SIDES - 1)
        if view.tab != "sides" or position >= len(view.sides):
            raise InvalidRequest("This side has no settings of its own. Reload the page and try again.")
        old = view.sides[position]
        spec = context.services.catalog.get(old.model_id)
        params = read_params(read_table(event, "params"), old.params or spec.defaults)
        prompt = read_field(event, "system_prompt", LONGEST_PROMPT)
        return compare_view.changed(view, context.arena, position, SideRequest(old.model_id, params, prompt))

    return keep


def _wire_stops(tab: CompareTab, canvas: ArenaCanvas) -> None:
    context = canvas.context

    def stop_all(view: ArenaView | None, request: gr.Request) -> None:
        view = context.view(view, request)
        if view.shown is not None:
            context.arena.stop(view.owner, view.shown.comparison.id)

    def stop(view: ArenaView | None, request: gr.Request, event: gr.EventData) -> None:
        view = context.view(view, request)
        if view.shown is not None:
            position = read_count(event, "position", MOST_SIDES - 1)
            context.arena.stop(view.owner, view.shown.comparison.id, position)

    tab.composer.stop(stop_all, [canvas.state], None, queue=False, **QUIET)
    tab.stage.stop(stop, [canvas.state], None, queue=False, **QUIET)
