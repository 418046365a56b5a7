"""How events of the arena's page are wired: let go of what is followed, change the view, draw everything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import gradio as gr

from playground.arena.contract import Arena, SideRequest
from playground.services import Services
from playground.ui.arena.board_view import VoteBook
from playground.ui.arena.compare_view import ArenaView
from playground.ui.canvas import Canvas
from playground.ui.owner import owner_of
from playground.ui.picker_view import ModelCard, Situation, choosable, model_cards
from playground.ui.words import Words

Change = Callable[[ArenaView, gr.EventData], ArenaView]
"""What an event does to the view; may raise PlaygroundError."""


@dataclass(frozen=True, slots=True)
class ArenaContext:
    """Who answers, and in which language."""

    services: Services
    arena: Arena
    book: VoteBook
    words: Words

    def view(self, view: ArenaView | None, request: gr.Request) -> ArenaView:
        """The view of this browser tab; a new one when there is none yet or it belongs to another browser."""
        owner = owner_of(request)
        if view is None or view.owner != owner:
            return ArenaView(owner, self._first_sides())
        return view

    def models(self) -> tuple[ModelCard, ...]:
        """The models that can be put into a column: those that are here, and others if a question may fetch them."""
        library, specs = self.services.library, choosable(self.services.catalog)
        states = {spec.id: library.state(spec) for spec in specs}
        cards = model_cards(specs, Situation(states), self.words)
        return tuple(card for card in cards if library.fetches_on_ask or card.state == "ready")

    def _first_sides(self) -> tuple[SideRequest, ...]:
        """The default model and the next one that is here; twice the same where there is no other."""
        chosen = self.services.settings.default_model
        others = [card.id for card in self.models() if card.id != chosen and card.state == "ready"]
        return (SideRequest(chosen), SideRequest(others[0] if others else chosen))


ArenaCanvas = Canvas[ArenaView, ArenaContext]
