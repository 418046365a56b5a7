"""Batches on the arena's page: the list of them, a form to begin one, and the queue in which they are graded."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import gradio as gr
from gradio.components import Component

from playground.arena.questions import read_questions
from playground.domain import new_id
from playground.errors import BadQuestions, InvalidRequest, NotTheOperator, PlaygroundError
from playground.ui.arena import compare_view, queue_view
from playground.ui.arena.canvas import ArenaCanvas, ArenaContext, Change
from playground.ui.arena.compare_view import ArenaView
from playground.ui.arena.desk_view import MOST_FILE_BYTES, desk_view, sentence_of
from playground.ui.arena.side_view import model_name
from playground.ui.canvas import QUIET, Updates
from playground.ui.chat_tab import LONGEST_ID
from playground.ui.island import build_island, read_field
from playground.ui.owner import owner_of
from playground.ui.workbench.access import Doorkeeper, is_operator

LONGEST_NAME = 300
LONGEST_LIST = 3000
LONGEST_FILE = MOST_FILE_BYTES * 4 // 3 + 8
"""Characters of a file as base64."""


@dataclass(frozen=True, slots=True)
class DuelsTab:
    """The components, by name. `desk` is drawn when it is asked for: who is the operator depends on the request."""

    queue: gr.HTML
    desk: gr.HTML

    @property
    def components(self) -> list[Component]:
        """What follows from a view: the keys of `render`."""
        return [self.queue]


def build_duels_tab() -> DuelsTab:
    """Lay out the queue, which stands above the columns, and the list, which stands in their place."""
    queue = build_island("queue", events=("enter", "grade", "skip", "undo", "reveal", "look", "results", "leave"))
    return DuelsTab(queue, build_island("desk", events=("list", "begin", "halt", "go_on")))


def render(tab: DuelsTab, view: ArenaView, context: ArenaContext) -> Updates:
    """How far the grading is."""
    return {tab.queue: queue_view.queue_view(view, context.services.catalog, context.words)}


def wire_duels_tab(tab: DuelsTab, canvas: ArenaCanvas, doorkeeper: Doorkeeper) -> None:
    """Connect the queue, which is everybody's, and the list, of which the operator can do more."""
    for name, change in _changes(canvas.context).items():
        canvas.wire(getattr(tab.queue, name), change)
    for name, act in _acts(canvas.context).items():
        handler = _handler(act, tab, canvas.context, doorkeeper)
        getattr(tab.desk, name)(handler, None, [tab.desk], queue=False, **QUIET)

    def show(request: gr.Request) -> Updates:
        return {tab.desk: _desk(canvas.context, request, doorkeeper)}

    tab.desk.list(show, None, [tab.desk], queue=False, **QUIET)


def _changes(context: ArenaContext) -> dict[str, Change]:
    arena, words = context.services.arena, context.words

    def grade(view: ArenaView, event: gr.EventData) -> ArenaView:
        winner = compare_view.read_winner(read_field(event, "winner", LONGEST_ID))
        return queue_view.graded(view, arena, words, winner, read_field(event, "pair", LONGEST_ID))

    return {
        "enter": lambda view, event: queue_view.entered(view, arena.grading, read_field(event, "id", LONGEST_ID)),
        "grade": grade,
        "skip": lambda view, event: queue_view.skipped(
            view, arena.grading, words, read_field(event, "pair", LONGEST_ID)
        ),
        "undo": lambda view, event: queue_view.undone(view, arena.grading, read_field(event, "pair", LONGEST_ID)),
        "reveal": lambda view, _: queue_view.revealed(view, arena.grading),
        "look": lambda view, event: queue_view.looked(view, arena, read_field(event, "id", LONGEST_ID)),
        "results": lambda view, _: queue_view.summed_up(view, arena.grading),
        "leave": lambda view, _: compare_view.closed(view),
    }


Act = Callable[[gr.EventData], str]
"""What the operator does; the id of a batch that was begun, or nothing."""


def _acts(context: ArenaContext) -> dict[str, Act]:
    batches, longest = context.services.arena.batches, context.services.settings.max_message_chars

    def begin(event: gr.EventData) -> str:
        name, models = read_field(event, "name", LONGEST_NAME), read_field(event, "models", LONGEST_LIST)
        questions = read_questions(name, _read_file(event), longest)
        return batches.begin(questions, [model for model in models.split(",") if model])

    def halt(event: gr.EventData) -> str:
        batches.halt(read_field(event, "id", LONGEST_ID))
        return ""

    def go_on(event: gr.EventData) -> str:
        batches.go_on(read_field(event, "id", LONGEST_ID))
        return ""

    return {"begin": begin, "halt": halt, "go_on": go_on}


def _read_file(event: gr.EventData) -> bytes:
    """The file as the page sent it. Raises BadQuestions when it is too large, InvalidRequest when it is garbled."""
    try:
        data = base64.b64decode(read_field(event, "data", LONGEST_FILE), validate=True)
    except binascii.Error as error:
        raise InvalidRequest("The file arrived garbled. Choose it again.") from error
    if len(data) > MOST_FILE_BYTES:
        raise BadQuestions(f"The file is larger than {MOST_FILE_BYTES // 2**20} MiB. Split it.", "large")
    return data


def _handler(
    act: Act, tab: DuelsTab, context: ArenaContext, doorkeeper: Doorkeeper
) -> Callable[[gr.Request, gr.EventData], Updates]:
    """What the operator does. Its answer is like no other: the page hears nothing of a value that it has already."""

    def handler(request: gr.Request, event: gr.EventData) -> Updates:
        try:
            if not is_operator(request, doorkeeper):
                raise NotTheOperator("Only whoever runs this playground can do that.")
            begun = act(event)
        except PlaygroundError as error:
            told: dict[str, object] = {"problem": sentence_of(error, context.words), "answer": new_id()}
            return {tab.desk: _desk(context, request, doorkeeper) | told}
        return {tab.desk: _desk(context, request, doorkeeper) | {"begun": begun, "answer": new_id()}}

    return handler


def _desk(context: ArenaContext, request: gr.Request, doorkeeper: Doorkeeper) -> dict[str, object]:
    operator, catalog, words = is_operator(request, doorkeeper), context.services.catalog, context.words
    models = context.models() if operator else ()
    try:
        batches = context.services.arena.batches.listed(owner_of(request))
    except PlaygroundError as error:
        empty = desk_view((), models, words, str, operator=operator)
        return asdict(replace(empty, problem=sentence_of(error, words)))
    return asdict(desk_view(batches, models, words, lambda model: model_name(model, catalog), operator=operator))
