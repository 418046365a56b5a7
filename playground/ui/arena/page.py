"""The arena's page: every tab is built, then every tab is wired."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import gradio as gr

from playground.arena.contract import Arena
from playground.domain import Language
from playground.errors import PlaygroundError
from playground.services import Services
from playground.ui.arena import board_tab, compare_tab, compare_view, duels_tab, history_tab, queue_view
from playground.ui.arena.board_tab import BoardTab
from playground.ui.arena.board_view import VoteBook
from playground.ui.arena.canvas import ArenaContext
from playground.ui.arena.compare_tab import CompareTab
from playground.ui.arena.compare_view import TABS, ArenaView
from playground.ui.arena.duels_tab import DuelsTab
from playground.ui.arena.history_tab import HistoryTab
from playground.ui.canvas import QUIET, Canvas, Updates
from playground.ui.event_queue import open_queue
from playground.ui.island import build_island, read_field
from playground.ui.notice_view import Notice
from playground.ui.words import load_words
from playground.ui.workbench.access import Doorkeeper

SESSIONS = 500
LONGEST_NAME = 300
"""Characters of a tab's, comparison's or model's name in an address."""


@dataclass(frozen=True, slots=True)
class ArenaPage:
    """Everything on the page."""

    state: gr.State
    masthead: gr.HTML
    history: HistoryTab
    duels: DuelsTab
    compare: CompareTab
    board: BoardTab


def build_arena(
    services: Services, arena: Arena, book: VoteBook, language: Language, doorkeeper: Doorkeeper
) -> gr.Blocks:
    """The whole page in one language; `doorkeeper` tells who may begin a batch."""
    context = ArenaContext(services, arena, book, load_words(language))
    demo = gr.Blocks(title=context.words("arena.title"), analytics_enabled=False, fill_width=True, fill_height=True)
    with demo:
        page = _lay_out(language)
        _wire(page, context, doorkeeper, demo)
    demo.state_session_capacity = SESSIONS
    open_queue(demo)
    return demo


def _lay_out(language: Language) -> ArenaPage:
    state = gr.State(None)
    with gr.Column(elem_id="arena", min_width=0):
        masthead = build_island("masthead", {"language": language}, events=("tab",))
        history = history_tab.build_history_tab()
        duels = duels_tab.build_duels_tab()
        with gr.Column(elem_id="floor", min_width=0):
            compare = compare_tab.build_compare_tab()
        board = board_tab.build_board_tab()
    return ArenaPage(state, masthead, history, duels, compare, board)


def render(page: ArenaPage, view: ArenaView, context: ArenaContext) -> Updates:
    """The whole page for one view, the view itself included; the leaderboard is counted when it is asked for."""
    return {
        page.state: view,
        **duels_tab.render(page.duels, view, context),
        **compare_tab.render(page.compare, view, context),
    }


def _wire(page: ArenaPage, context: ArenaContext, doorkeeper: Doorkeeper, demo: gr.Blocks) -> None:
    arena, words = context.arena, context.words

    def settle(view: ArenaView | None, request: gr.Request) -> Updates:
        view = context.view(view, request)
        try:
            view = compare_view.refreshed(view, arena)
        except PlaygroundError as error:
            view = compare_view.failed(view, words, error)
        return render(page, view, context)

    def on_load(view: ArenaView | None, request: gr.Request) -> Updates:
        view = context.view(view, request)
        try:
            view = arrived(view, request.query_params, context)
        except PlaygroundError as error:
            view = compare_view.failed(compare_view.closed(view), words, error)
        return render(page, view, context)

    def switch(view: ArenaView, event: gr.EventData) -> ArenaView:
        return compare_view.switched(view, compare_view.read_tab(read_field(event, "tab", LONGEST_NAME)), arena)

    following = compare_tab.wire_following(page.compare, page.state, context)
    components = [*page.duels.components, *page.compare.components]
    following.success(settle, [page.state], [page.state, *components], queue=False, **QUIET)
    canvas = Canvas(
        context, page.state, components, lambda view: render(page, view, context), following, compare_view.failed
    )
    canvas.wire(page.masthead.tab, switch)
    compare_tab.wire_compare_tab(page.compare, canvas)
    duels_tab.wire_duels_tab(page.duels, canvas, doorkeeper)
    history_tab.wire_history_tab(page.history, canvas)
    board_tab.wire_board_tab(page.board, context)
    demo.load(on_load, [page.state], canvas.outputs, queue=False, **QUIET)


def arrived(view: ArenaView, asked: Mapping[str, str], context: ArenaContext) -> ArenaView:
    """What an address opens: `c` a comparison, `models` new columns, `tab` a tab, `duel` a batch to grade.

    A tab that there is not is the first one, with a notice that says so. Raises UnknownConversation, UnknownModel or
    InvalidRequest for other things that there are not.
    """
    if wanted := asked.get("c", "")[:LONGEST_NAME]:
        return compare_view.opened(view, context.arena, wanted)
    tab = asked.get("tab", "")
    if tab == "duels" and (duel := asked.get("duel", "")[:LONGEST_NAME]):
        return queue_view.entered(view, context.services.arena.grading, duel)
    view = compare_view.closed(compare_view.switched(view, tab if tab in TABS else TABS[0], context.arena))
    if models := asked.get("models", ""):
        ids = [name.strip()[:LONGEST_NAME] for name in models.split(",", 10) if name.strip()]
        view = compare_view.composed(view, [context.services.catalog.get(name).id for name in ids])
    if tab in ("", *TABS):
        return view
    return replace(
        view, notice=Notice("stopped", context.words("arena.no_tab"), next=context.words("arena.no_tab_next"))
    )
