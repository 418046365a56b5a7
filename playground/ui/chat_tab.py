"""The conversation on display: Gradio's chat for the messages, islands for everything around them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass

import anyio.to_thread
import gradio as gr
from gradio.components import Component
from gradio.events import Dependency

from playground.errors import PlaygroundError
from playground.ui import chat_view
from playground.ui.canvas import QUIET, Change, ChatCanvas, Context, Updates
from playground.ui.chat_log import build_chat_log
from playground.ui.chat_view import ChatView
from playground.ui.island import build_island, read_field
from playground.ui.live_view import Live, live_line
from playground.ui.message_view import chat_messages, message_rows
from playground.ui.pace import Pace
from playground.ui.reporting import known_reports, read_report

HEARTBEAT_SECONDS = 0.5
"""An unchanged answer is told again after this long, so that a closed tab is noticed."""
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
    chat = build_chat_log("chat")
    thread = build_island("thread", events=("retry", "version", "earlier", "refresh", "follow", "report", "missed"))
    live = build_island("live")
    with gr.Column(elem_id="dock", min_width=0):
        notice = build_island("notice", events=("report",))
        composer = build_island("composer", events=("send", "stop"))
    return ChatTab(chat, thread, live, hero, notice, composer)


def render(tab: ChatTab, view: ChatView, context: Context) -> Updates:
    """The view as component values."""
    words, services = context.words, context.services
    marked = known_reports(services.reports, view.owner, view.reportable)
    told = {"reported": marked, "keeps": services.reports.keep_text}
    names = {spec.id: spec.name for spec in services.catalog}
    rows = message_rows(view.shown, view.versions, names, words)
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
            **told,
        },
        tab.live: asdict(Live()),
        tab.hero: _hero(view, context),
        tab.notice: {"notice": view.notice and asdict(view.notice), "ticket": view.ticket, **told},
        tab.composer: {
            "busy": view.busy,
            "limit": services.settings.max_message_chars,
            "checks": services.workbench.policy.checks,
            "ticket": view.ticket,
            "outcome": view.outcome,
        },
    }


# (whether the model runs elsewhere, whether messages are screened) -> what a person should know before writing
_HERO = {
    (False, True): "hero.text",
    (False, False): "hero.text_unchecked",
    (True, True): "hero.text_remote",
    (True, False): "hero.text_remote_unchecked",
}


def _hero(view: ChatView, context: Context) -> dict[str, object]:
    words = context.words
    try:
        spec = context.services.catalog.get(view.model_id)
    except PlaygroundError:
        return {"title": words("hero.title"), "text": "", "suggestions": ()}
    key = _HERO[bool(spec.hosts), context.services.workbench.policy.checks == "on"]
    text = words(key, model=spec.name, host=", ".join(spec.hosts))
    suggestions = spec.suggestions.get(words.language) or spec.suggestions.get("en", ())
    return {"title": words("hero.title"), "text": text, "suggestions": suggestions[:4]}


def wire_following(tab: ChatTab, state: gr.State, context: Context) -> Dependency:
    """Connect the listener that follows the answer being written: a few updates a second, of two components only."""
    pace = Pace()
    chat = context.services.chat
    words = context.words

    async def follow(view: ChatView | None, request: gr.Request) -> AsyncIterator[Updates]:
        view = context.view(view, request)
        if not view.conversation_id or not view.messages:
            return
        run = await anyio.to_thread.run_sync(chat.active, view.owner, view.conversation_id)  # it may ask the database
        if run is None:
            return
        model = context.services.catalog.get(view.model_id).name
        before = chat_messages(view.shown[:-1], words)
        seen, told = -1, 0.0
        with pace.follower():
            while not run.done:
                snapshot = run.snapshot()
                if snapshot.version != seen or time.monotonic() - told > HEARTBEAT_SECONDS:
                    seen, told = snapshot.version, time.monotonic()
                    answer = chat_view.following(view, snapshot)
                    yield {
                        tab.chat: [*before, *chat_messages([answer], words, thinking=True)],
                        tab.live: asdict(live_line(snapshot, model, words)),
                    }
                await asyncio.sleep(pace.interval)

    listen = tab.thread.follow
    following: Dependency = listen(follow, [state], [tab.chat, tab.live], concurrency_limit=None, **QUIET)
    return following


def wire_chat_tab(tab: ChatTab, canvas: ChatCanvas, context: Context) -> None:
    """Connect composer and thread."""
    chat, reports, words = context.services.chat, context.services.reports, context.words

    def send(view: ChatView, event: gr.EventData) -> ChatView:
        ticket = read_field(event, "ticket", LONGEST_ID)
        try:
            text, edit = read_field(event, "text", LONGEST_TEXT), read_field(event, "edit", LONGEST_ID)
            return chat_view.sent(view, chat, words, text=text, ticket=ticket, edit=edit)
        except PlaygroundError as error:
            return chat_view.failed(view, words, error, ticket)

    def on_stop(view: ChatView | None, request: gr.Request) -> None:
        view = context.view(view, request)
        run = chat.active(view.owner, view.conversation_id) if view.conversation_id else None
        if run is not None:
            run.cancel()

    def with_id(change: Callable[[ChatView, str], ChatView]) -> Change:
        return lambda view, event: change(view, read_field(event, "id", LONGEST_ID))

    def report(view: ChatView, event: gr.EventData) -> ChatView:
        receipt, judged = read_report(event, context.services.settings.max_message_chars)
        return chat_view.reported(view, reports, receipt, judged)

    canvas.wire(tab.composer.send, send)
    canvas.wire(tab.notice.report, report)
    canvas.wire(tab.thread.report, report)
    tab.composer.stop(on_stop, [canvas.state], None, queue=False, **QUIET)
    canvas.wire(tab.thread.retry, with_id(lambda view, message: chat_view.retried(view, chat, words, message)))
    canvas.wire(tab.thread.missed, with_id(lambda view, message: chat_view.flagged(view, reports, words, message)))
    canvas.wire(tab.thread.version, with_id(lambda view, message: chat_view.selected(view, chat, message)))
    canvas.wire(tab.thread.earlier, lambda view, _: chat_view.widened(chat_view.refreshed(view, chat)))
    canvas.wire(tab.thread.refresh, lambda view, _: chat_view.refreshed(view, chat))
