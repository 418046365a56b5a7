"""The leaderboard: counted anew whenever it is opened or something else is chosen."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import gradio as gr
from gradio.components import Component

from playground.errors import InvalidRequest
from playground.ui.arena.board_view import Choice, board_view, read_choice
from playground.ui.arena.canvas import ArenaContext
from playground.ui.arena.side_view import model_name
from playground.ui.canvas import QUIET, Updates
from playground.ui.island import build_island, read_table


@dataclass(frozen=True, slots=True)
class BoardTab:
    """The component; everything is drawn into it."""

    board: gr.HTML

    @property
    def components(self) -> list[Component]:
        """All of it: the keys of `render`."""
        return [self.board]


def build_board_tab() -> BoardTab:
    """Lay out the leaderboard."""
    return BoardTab(build_island("board", events=("choose",)))


def render(tab: BoardTab, choice: Choice, context: ArenaContext) -> Updates:
    """The leaderboard for a choice."""
    catalog = context.services.catalog
    shown = board_view(context.book, choice, lambda model: model_name(model, catalog), context.words)
    return {tab.board: asdict(shown)}


def wire_board_tab(tab: BoardTab, context: ArenaContext) -> None:
    """Count when the page asks for it."""

    def choose(event: gr.EventData) -> Updates:
        try:
            choice = read_choice(read_table(event, "choice"))
        except InvalidRequest:
            choice = Choice()
        return render(tab, choice, context)

    tab.board.choose(choose, None, tab.components, queue=False, **QUIET)
