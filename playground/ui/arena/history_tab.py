"""The list of earlier comparisons: opened from the head of the page, read whenever it is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import gradio as gr

from playground.errors import PlaygroundError
from playground.ui.arena import compare_view
from playground.ui.arena.canvas import ArenaCanvas, ArenaContext, Change
from playground.ui.arena.compare_view import ArenaView
from playground.ui.arena.history_view import listed
from playground.ui.canvas import QUIET, Updates
from playground.ui.chat_tab import LONGEST_ID
from playground.ui.island import build_island, read_field


@dataclass(frozen=True, slots=True)
class HistoryTab:
    """The component."""

    history: gr.HTML


def build_history_tab() -> HistoryTab:
    """Lay out the list."""
    return HistoryTab(build_island("history", events=("list", "open", "remove", "restore")))


def render(tab: HistoryTab, view: ArenaView, context: ArenaContext) -> Updates:
    """The comparisons of whoever looks, with the one on display marked."""
    active = view.shown.comparison.id if view.shown is not None and view.tab != "duels" else ""
    found = context.arena.listed(view.owner)
    return {tab.history: asdict(listed(found, active, context.services.catalog, context.words))}


def wire_history_tab(tab: HistoryTab, canvas: ArenaCanvas) -> None:
    """Connect the list."""
    arena = canvas.context.arena

    def open_one(view: ArenaView, event: gr.EventData) -> ArenaView:
        return compare_view.opened(view, arena, read_field(event, "id", LONGEST_ID))

    def remove(view: ArenaView, event: gr.EventData) -> ArenaView:
        gone = read_field(event, "id", LONGEST_ID)
        arena.delete(view.owner, gone)
        return compare_view.without(view, gone)

    def restore(view: ArenaView, event: gr.EventData) -> ArenaView:
        back = read_field(event, "id", LONGEST_ID)
        arena.restore(view.owner, back)
        return compare_view.opened(view, arena, back) if view.shown is None else view

    for trigger, change in ((tab.history.open, open_one), (tab.history.remove, remove), (tab.history.restore, restore)):
        _wire(trigger, change, tab, canvas)
    tab.history.list(_listing(tab, canvas.context), [canvas.state], [tab.history], queue=False, **QUIET)


def _listing(tab: HistoryTab, context: ArenaContext) -> Callable[[ArenaView | None, gr.Request], Updates]:
    def show(view: ArenaView | None, request: gr.Request) -> Updates:
        try:
            return render(tab, context.view(view, request), context)
        except PlaygroundError:
            return {tab.history: gr.skip()}

    return show


def _wire(trigger: Any, change: Change, tab: HistoryTab, canvas: ArenaCanvas) -> None:
    """As `Canvas.wire`, with the list drawn anew."""
    context = canvas.context

    def handler(view: ArenaView | None, request: gr.Request, event: gr.EventData) -> Updates:
        seen = context.view(view, request)
        try:
            seen = change(seen, event)
            return {**canvas.render(seen), **render(tab, seen, context)}
        except PlaygroundError as error:
            return {**canvas.render(compare_view.failed(seen, context.words, error)), tab.history: gr.skip()}

    trigger(None, None, None, cancels=[canvas.following], queue=False, **QUIET)
    trigger(handler, [canvas.state], [*canvas.outputs, tab.history], queue=False, **QUIET)
