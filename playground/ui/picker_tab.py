"""The model picker: which models there are, which one answers next, and how more of them get here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import cast, get_args

import gradio as gr
from gradio.components import Component

from playground.catalog.hub import Sort
from playground.errors import InvalidRequest, NotTheOperator, PlaygroundError
from playground.services import Services
from playground.ui import chat_view
from playground.ui.canvas import QUIET, ChatCanvas, Context, Updates
from playground.ui.chat_view import ChatView
from playground.ui.island import build_island, read_field
from playground.ui.notice_view import failure_sentence
from playground.ui.picker_view import (
    FoundCard,
    Situation,
    State,
    card_state,
    choosable,
    found_cards,
    model_cards,
)
from playground.ui.workbench.access import Doorkeeper, is_operator

LONGEST_ID = 300
SIZES: dict[str, tuple[float | None, float | None]] = {
    "": (None, None),
    "1": (None, 1e9),
    "4": (1e9, 4e9),
    "9": (4e9, 9e9),
    "more": (9e9, None),
}
"""Choices of how many parameters a found model may have: the least and the most."""
LICENCES = ("", "apache-2.0", "mit", "gemma", "llama3.2")


@dataclass(frozen=True, slots=True)
class PickerTab:
    """The components, by name. `models` carries the cards, so that they are not sent with every change."""

    picker: gr.HTML
    models: gr.HTML

    @property
    def components(self) -> list[Component]:
        """What follows from a view: the keys of `render`."""
        return [self.picker]


@dataclass(frozen=True, slots=True)
class Finds:
    """What a search of the Hub gave, and for which words; `added` is the id of a model that was just added."""

    query: str = ""
    cards: tuple[FoundCard, ...] = ()
    problem: str = ""
    added: str = ""


def build_picker_tab() -> PickerTab:
    """Lay out the button and its dialog."""
    picker = build_island("picker", events=("choose", "open", "fetch", "halt", "remove", "search", "bring"))
    return PickerTab(picker, build_island("models"))


def render(tab: PickerTab, view: ChatView, context: Context) -> Updates:
    """The chosen model."""
    model_id = view.model_id
    if model_id not in context.services.catalog:
        return {tab.picker: {"chosen": model_id, "name": model_id, "state": "missing"}}
    spec = context.services.catalog.get(model_id)
    library = context.services.library
    now = Situation(
        {model_id: library.state(spec)}, _loaded(context), jobs={job.model_id: job for job in library.jobs()}
    )
    return {tab.picker: {"chosen": model_id, "name": spec.name, "state": card_state(model_id, now)}}


def render_models(tab: PickerTab, context: Context, *, operator: bool = False, finds: Finds | None = None) -> Updates:
    """All cards, with what is loaded, on this machine or on its way right now."""
    services = context.services
    shown = choosable(services.catalog)
    now = _situation(services, context, operator=operator)
    value: dict[str, object] = {
        "models": [asdict(card) for card in model_cards(shown, now, context.words)],
        "operator": operator,
        "on_ask": services.library.fetches_on_ask,
        "online": operator and not services.settings.offline,
    }
    if finds is not None:
        value["finds"] = asdict(finds)
    return {tab.models: value}


def _situation(services: Services, context: Context, *, operator: bool) -> Situation:
    shown = choosable(services.catalog)
    states = {spec.id: services.library.state(spec) for spec in shown}
    return Situation(
        states=states,
        loaded=_loaded(context),
        servers={line.model_id: line.servers for line in services.pool.status()},
        jobs={job.model_id: job for job in services.library.jobs()},
        choices={spec.id: choice for spec in shown if (choice := services.library.choice(spec)) is not None},
        plans={spec.id: plan for spec in shown if (plan := services.library.plan(spec)) is not None},
        speeds=services.chat.speeds(),
        operator=operator,
    )


def _loaded(context: Context) -> dict[str, State]:
    names: dict[str, State] = {"starting": "loading", "ready": "loaded"}
    return {line.model_id: names[line.state] for line in context.services.pool.status()}


def wire_picker_tab(tab: PickerTab, canvas: ChatCanvas, context: Context, doorkeeper: Doorkeeper) -> None:
    """Connect the picker. What changes the models on this machine is the operator's to do."""
    chat, words = context.services.chat, context.words

    def choose(view: ChatView, event: gr.EventData) -> ChatView:
        spec = context.services.catalog.get(read_field(event, "id", LONGEST_ID))
        return chat_view.with_model(view, chat, words, spec.id)

    canvas.wire(tab.picker.choose, choose)
    tab.picker.open(showing(tab, context, doorkeeper), None, [tab.models], queue=False, **QUIET)
    for name, act in _actions(context).items():
        handler = _handler(act, tab, context, doorkeeper)
        getattr(tab.picker, name)(handler, None, [tab.models], queue=False, **QUIET)


def showing(tab: PickerTab, context: Context, doorkeeper: Doorkeeper) -> Callable[[gr.Request], Updates]:
    """The cards for whoever asks."""

    def show(request: gr.Request) -> Updates:
        return render_models(tab, context, operator=is_operator(request, doorkeeper))

    return show


Act = Callable[[gr.EventData], Finds]


def _actions(context: Context) -> dict[str, Act]:
    services, words = context.services, context.words
    library, catalog = services.library, services.catalog

    def fetch(event: gr.EventData) -> Finds:
        library.pull(catalog.get(read_field(event, "id", LONGEST_ID)))
        return Finds()

    def halt(event: gr.EventData) -> Finds:
        library.cancel(read_field(event, "id", LONGEST_ID))
        return Finds()

    def remove(event: gr.EventData) -> Finds:
        library.remove(catalog.get(read_field(event, "id", LONGEST_ID)))
        return Finds()

    def search(event: gr.EventData) -> Finds:
        query = read_field(event, "query", LONGEST_ID)
        size, sort = read_field(event, "size", 10), read_field(event, "sort", 30)
        licence = read_field(event, "licence", 40)
        if size not in SIZES or sort not in get_args(Sort) or licence not in LICENCES:
            raise InvalidRequest("Choose size, order and licence from the lists.")
        rows = library.hub.search(query, size=SIZES[size], licence=licence, sort=cast("Sort", sort))
        return Finds(query, found_cards(rows, words))

    def bring(event: gr.EventData) -> Finds:
        return Finds(added=library.add(read_field(event, "reference", LONGEST_ID)).id)

    return {"fetch": fetch, "halt": halt, "remove": remove, "search": search, "bring": bring}


def _handler(
    act: Act, tab: PickerTab, context: Context, doorkeeper: Doorkeeper
) -> Callable[[gr.Request, gr.EventData], Updates]:
    def handler(request: gr.Request, event: gr.EventData) -> Updates:
        operator = is_operator(request, doorkeeper)
        try:
            if not operator:
                raise NotTheOperator("Only whoever runs this playground can do that.")
            finds = act(event)
        except PlaygroundError as error:
            finds = Finds(problem=failure_sentence(error.code, str(error), context.words))
        return render_models(tab, context, operator=operator, finds=finds)

    return handler
