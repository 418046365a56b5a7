"""The conversation on display: Gradio's chat for the messages, islands for everything around them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass

import gradio as gr
from gradio.components import Component

from playground.errors import PlaygroundError
from playground.ui import chat_view
from playground.ui.canvas import QUIET, Canvas, Context, Updates
from playground.ui.chat_view import ChatView
from playground.ui.island import build_island, read_field
from playground.ui.live_view import Live, live_line
from playground.ui.message_view import chat_messages, message_rows
from playground.ui.pace import Pace

LATEX = [
    {"left": "$$", "right": "$$", "display": True},
    {"left": "\\[", "right": "\\]", "display": True},
    {"left": "\\(", "right": "\\)", "display": False},
]
LONGEST_ID = 64
LONGEST_TEXT = 20_000_000


@dataclass(frozen=True, slots=True)
class ChatTab:
    """The components, by name. `thread` and `live` carry what is drawn into the rows of `chat`."""

    chat: gr.Chatbot
    thread: gr.HTML
    live: gr.HTML
    hero: gr.HTML
    notice: gr.HTML
    composer: gr.HTML

    @property
    def components(self) -> list[Component]:
        """All of them: the keys of `render`."""
        return [self.chat, self.thread, self.live, self.hero, self.notice, self.composer]


def build_chat_tab() -> ChatTab:
    """Lay out the thread and, below it, the dock with notice and composer."""
    hero = build_island("hero")
    chat = gr.Chatbot(
        elem_id="chat",
        show_label=False,
        container=False,
        layout="panel",
        buttons=[],
        group_consecutive_messages=False,
        feedback_options=None,
        allow_tags=False,
        latex_delimiters=list(LATEX),
    )
    thread = build_island("thread", events=("retry", "version", "earlier", "refresh"))
    live = build_island("live")
    with gr.Column(elem_id="dock", min_width=0):
        notice = build_island("notice")
        composer = build_island("composer", events=("send", "stop"))
    return ChatTab(chat, thread, live, hero, notice, composer)


def render(tab: ChatTab, view: ChatView, context: Context) -> Updates:
    """The view as component values."""
    words = context.words
    rows = message_rows(view.shown, view.versions, words)
    if view.busy and rows:
        rows[-1] = None
    return {
        tab.chat: chat_messages(view.shown, words),
        tab.thread: {
            "conversation": view.conversation_id,
            "rows": [row and asdict(row) for row in rows],
            "earlier": view.earlier,
            "empty": not view.messages,
            "busy": view.busy,
        },
        tab.live: asdict(Live(words("live.sending")) if view.busy else Live()),
        tab.hero: _hero(view, context),
        tab.notice: {"notice": view.notice and asdict(view.notice), "ticket": view.ticket},
        tab.composer: {
            "busy": view.busy,
            "limit": context.services.settings.max_message_chars,
            "ticket": view.ticket,
            "outcome": view.outcome,
        },
    }


def _hero(view: ChatView, context: Context) -> dict[str, object]:
    words = context.words
    try:
        spec = context.services.catalog.get(view.model_id)
    except PlaygroundError:
        return {"title": words("hero.title"), "text": "", "suggestions": ()}
    suggestions = spec.suggestions.get(words.language) or spec.suggestions.get("en", ())
    return {"title": words("hero.title"), "text": words("hero.text", model=spec.name), "suggestions": suggestions[:4]}


def following(tab: ChatTab, context: Context) -> Callable[..., AsyncIterator[Updates]]:
    """The handler that follows the answer being written: a few updates a second, and never the engine itself."""
    pace = Pace()
    chat = context.services.chat
    words = context.words

    async def follow(view: ChatView | None, request: gr.Request) -> AsyncIterator[Updates]:
        view = context.view(view, request)
        run = chat.active(view.owner, view.conversation_id) if view.conversation_id else None
        if run is None or not view.messages:
            return
        model = context.services.catalog.get(view.model_id).name
        with pace.follower():
            while not run.done:
                snapshot = run.snapshot()
                shown = chat_view.following(view, snapshot)
                yield {
                    tab.chat: chat_messages(shown, words, thinking=True),
                    tab.live: asdict(live_line(snapshot, model, words)),
                }
                await _change(run.snapshot, snapshot.version, pace)

    return follow


def wire_chat_tab(tab: ChatTab, canvas: Canvas, context: Context) -> None:
    """Connect composer and thread."""
    chat, words = context.services.chat, context.words

    def on_send(view: ChatView | None, request: gr.Request, event: gr.EventData) -> Updates:
        view = context.view(view, request)
        ticket = ""
        try:
            ticket = read_field(event, "ticket", LONGEST_ID)
            text, edit = read_field(event, "text", LONGEST_TEXT), read_field(event, "edit", LONGEST_ID)
            return canvas.render(chat_view.sent(view, chat, words, text=text, ticket=ticket, edit=edit))
        except PlaygroundError as error:
            return canvas.render(chat_view.failed(view, words, error, ticket))

    def on_stop(view: ChatView | None, request: gr.Request) -> None:
        view = context.view(view, request)
        run = chat.active(view.owner, view.conversation_id) if view.conversation_id else None
        if run is not None:
            run.cancel()

    def on_message(
        change: Callable[[ChatView, str], ChatView],
    ) -> Callable[[ChatView | None, gr.Request, gr.EventData], Updates]:
        def handler(view: ChatView | None, request: gr.Request, event: gr.EventData) -> Updates:
            view = context.view(view, request)
            try:
                return canvas.render(change(view, read_field(event, "id", LONGEST_ID)))
            except PlaygroundError as error:
                return canvas.render(chat_view.failed(view, words, error))

        return handler

    canvas.wire(tab.composer.send, on_send)
    tab.composer.stop(on_stop, [canvas.state], None, queue=False, **QUIET)
    canvas.wire(tab.thread.retry, on_message(lambda view, id: chat_view.retried(view, chat, words, id)))
    canvas.wire(tab.thread.version, on_message(lambda view, id: chat_view.selected(view, chat, id)))
    canvas.wire(tab.thread.earlier, on_message(lambda view, _: chat_view.widened(chat_view.refreshed(view, chat))))
    canvas.wire(tab.thread.refresh, on_message(lambda view, _: chat_view.refreshed(view, chat)))
