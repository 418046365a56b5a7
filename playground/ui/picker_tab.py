"""The model picker: which models there are, and which one answers next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import gradio as gr
from gradio.components import Component

from playground.ui import chat_view
from playground.ui.canvas import QUIET, Canvas, Context, Updates
from playground.ui.chat_view import ChatView
from playground.ui.island import build_island, read_field
from playground.ui.picker_view import State, choosable, model_cards

LONGEST_ID = 300


@dataclass(frozen=True, slots=True)
class PickerTab:
    """The components, by name. `models` carries the cards, so that they are not sent with every change."""

    picker: gr.HTML
    models: gr.HTML

    @property
    def components(self) -> list[Component]:
        """What follows from a view: the keys of `render`."""
        return [self.picker]


def build_picker_tab() -> PickerTab:
    """Lay out the button and its dialog."""
    picker = build_island("picker", events=("choose", "open"))
    return PickerTab(picker, build_island("models"))


def render(tab: PickerTab, view: ChatView, context: Context) -> Updates:
    """The chosen model."""
    model_id = view.model_id
    known = model_id in context.services.catalog
    name = context.services.catalog.get(model_id).name if known else model_id
    state = _states(context).get(model_id, "ready") if known else "missing"
    return {tab.picker: {"chosen": model_id, "name": name, "state": state}}


def render_models(tab: PickerTab, context: Context) -> Updates:
    """All cards, with what is loaded right now."""
    servers = {line.model_id: line.servers for line in context.services.pool.status()}
    cards = model_cards(choosable(context.services.catalog), _states(context), context.words, servers)
    return {tab.models: {"models": [asdict(card) for card in cards]}}


def _states(context: Context) -> dict[str, State]:
    names: dict[str, State] = {"starting": "loading", "ready": "loaded"}
    return {line.model_id: names[line.state] for line in context.services.pool.status()}


def wire_picker_tab(tab: PickerTab, canvas: Canvas, context: Context) -> None:
    """Connect the picker."""
    chat, words = context.services.chat, context.words

    def choose(view: ChatView, event: gr.EventData) -> ChatView:
        spec = context.services.catalog.get(read_field(event, "id", LONGEST_ID))
        return chat_view.with_model(view, chat, words, spec.id)

    canvas.wire(tab.picker.choose, choose)
    tab.picker.open(_showing(tab, context), None, [tab.models], queue=False, **QUIET)


def _showing(tab: PickerTab, context: Context) -> Callable[[], Updates]:
    return lambda: render_models(tab, context)
