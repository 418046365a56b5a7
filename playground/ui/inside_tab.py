"""The panel that looks inside an answer: its tokens, the next token, and what the model received."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, is_dataclass

import gradio as gr
from gradio.components import Component

from playground.chat.inspection import Subject
from playground.domain import SamplingParams
from playground.errors import NoProbabilities, PlaygroundError
from playground.ui import inside_view
from playground.ui.canvas import QUIET, ChatCanvas, Context, Updates
from playground.ui.chat_view import ChatView, find
from playground.ui.island import build_island, read_count, read_field, read_numbers, read_table
from playground.ui.notice_view import error_notice
from playground.ui.settings_view import read_params

LONGEST_ID = 64
MOST_TOKENS = 1024
Look = Callable[[ChatView, Subject, gr.EventData], dict[str, object]]


@dataclass(frozen=True, slots=True)
class InsideTab:
    """The components, by name. What was looked at last is the value; nothing of it follows from a view."""

    inside: gr.HTML

    @property
    def components(self) -> list[Component]:
        """What a look is answered with."""
        return [self.inside]


def build_inside_tab() -> InsideTab:
    """Lay out the panel, which is closed at first."""
    return InsideTab(build_island("inside", events=("tokens", "place", "step", "prompt", "branch")))


def wire_inside_tab(tab: InsideTab, canvas: ChatCanvas, context: Context) -> None:
    """Connect the panel. A look carries a ticket, and its answer the same one: what comes too late is no answer."""
    services, words = context.services, context.words
    inspector = services.inspector

    def tokens(_view: ChatView, about: Subject, _event: gr.EventData) -> dict[str, object]:
        return inside_view.tokens_data(inspector.tokens(about), words)

    def place(_view: ChatView, about: Subject, event: gr.EventData) -> dict[str, object]:
        return inside_view.place_data(inspector.place(about, read_count(event, "place", MOST_TOKENS)), words)

    def step(view: ChatView, about: Subject, event: gr.EventData) -> dict[str, object]:
        table, base = read_table(event, "params"), _params(view, about.message_id, context)
        params = inside_view.step_params(table, base, read_params(table, base))
        chosen = read_numbers(event, "chosen", MOST_TOKENS)
        return inside_view.step_data(
            inspector.step(about, read_count(event, "place", MOST_TOKENS), chosen, params), params, words
        )

    def prompt(_view: ChatView, about: Subject, _event: gr.EventData) -> dict[str, object]:
        return inside_view.prompt_data(inspector.prompt(about), words)

    def branch(view: ChatView, event: gr.EventData) -> ChatView:
        about = inside_view.subject(view, words, read_field(event, "id", LONGEST_ID))
        chosen = read_numbers(event, "chosen", MOST_TOKENS)
        beginning = inspector.beginning(about, read_count(event, "place", MOST_TOKENS), chosen)
        return inside_view.branched(view, services.chat, words, about.message_id, beginning)

    for trigger, look in (
        (tab.inside.tokens, tokens),
        (tab.inside.place, place),
        (tab.inside.step, step),
        (tab.inside.prompt, prompt),
    ):
        # "multiple": an answer reaches the page a moment before its event is over, and the next question comes at once.
        trigger(
            _answering(tab, context, look),
            [canvas.state],
            tab.components,
            queue=False,
            trigger_mode="multiple",
            **QUIET,
        )
    canvas.wire(tab.inside.branch, branch)


def _params(view: ChatView, message_id: str, context: Context) -> SamplingParams:
    model_id = find(view, message_id).model_id or view.model_id
    return view.params or context.services.catalog.get(model_id).defaults


def _answering(tab: InsideTab, context: Context, look: Look) -> Callable[..., Updates]:
    def answer(view: ChatView | None, request: gr.Request, event: gr.EventData) -> Updates:
        view = context.view(view, request)
        ticket = read_field(event, "ticket", LONGEST_ID)
        try:
            about = inside_view.subject(view, context.words, read_field(event, "id", LONGEST_ID))
            found = look(view, about, event)
        except PlaygroundError as error:
            told = _is_elsewhere(error, view, event, context)
            found = {"error": error_notice(error, context.words).text, "told": told}
        return {tab.inside: {"ticket": ticket, **{name: _plain(value) for name, value in found.items()}}}

    return answer


def _is_elsewhere(error: PlaygroundError, view: ChatView, event: gr.EventData, context: Context) -> bool:
    """Whether nothing went wrong: what was asked for is not known because the model of the answer runs elsewhere."""
    if not isinstance(error, NoProbabilities):
        return False
    model_id = find(view, read_field(event, "id", LONGEST_ID)).model_id
    return model_id is not None and bool(context.services.catalog.get(model_id).servers)


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
