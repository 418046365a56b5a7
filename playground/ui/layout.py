"""The page: every tab is built, then every tab is wired."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from playground.domain import Language
from playground.errors import PlaygroundError
from playground.services import Services
from playground.ui import chat_tab, chat_view, conversations_tab, inside_tab, picker_tab, settings_tab
from playground.ui.canvas import QUIET, Canvas, Context, Updates
from playground.ui.chat_tab import ChatTab
from playground.ui.chat_view import ChatView
from playground.ui.conversations_tab import ConversationsTab
from playground.ui.event_queue import open_queue
from playground.ui.inside_tab import InsideTab
from playground.ui.island import build_island
from playground.ui.picker_tab import PickerTab
from playground.ui.settings_tab import SettingsTab
from playground.ui.words import load_words
from playground.ui.workbench.access import Doorkeeper, is_operator

SESSIONS = 500
"""Browser tabs whose view is kept in memory; an older tab reads its conversation again from its address."""


@dataclass(frozen=True, slots=True)
class Page:
    """Everything on the page."""

    state: gr.State
    conversations: ConversationsTab
    picker: PickerTab
    settings: SettingsTab
    chat: ChatTab
    inside: InsideTab


def build_page(services: Services, language: Language, doorkeeper: Doorkeeper, *, temporary: bool = False) -> gr.Blocks:
    """The whole interface in one language; `doorkeeper` tells who is shown the way to the workbench.

    `temporary`: what is stored here is lost when the server restarts, and people are told so.
    """
    context = Context(services, load_words(language))
    title = context.words("page.title")
    demo = gr.Blocks(title=title, analytics_enabled=False, fill_width=True, fill_height=True)
    with demo:
        page = _lay_out()
        _wire(page, context, doorkeeper, demo)
        _wire_foot(page, doorkeeper, demo, temporary=temporary)
    demo.state_session_capacity = SESSIONS
    open_queue(demo)
    return demo


def _lay_out() -> Page:
    state = gr.State(None)
    with gr.Row(elem_id="shell", equal_height=False):
        with gr.Column(elem_id="side", min_width=0, scale=0):
            conversations = conversations_tab.build_conversations_tab()
        with gr.Column(elem_id="main", min_width=0, scale=1):
            with gr.Row(elem_id="topbar"):
                build_island("burger")
                picker = picker_tab.build_picker_tab()
                settings = settings_tab.build_settings_tab()
            chat = chat_tab.build_chat_tab()
            inside = inside_tab.build_inside_tab()
    return Page(state, conversations, picker, settings, chat, inside)


def render(page: Page, view: ChatView, context: Context) -> Updates:
    """The whole page for one view, the view itself included."""
    return {
        page.state: view,
        **chat_tab.render(page.chat, view, context),
        **conversations_tab.render(page.conversations, view, context),
        **picker_tab.render(page.picker, view, context),
        **settings_tab.render(page.settings, view, context),
    }


def _wire(page: Page, context: Context, doorkeeper: Doorkeeper, demo: gr.Blocks) -> None:
    chat, words = context.services.chat, context.words

    def settle(view: ChatView | None, request: gr.Request) -> Updates:
        view = context.view(view, request)
        try:
            view = chat_view.refreshed(view, chat)
        except PlaygroundError as error:
            view = chat_view.failed(view, words, error)
        return render(page, view, context)

    def on_load(view: ChatView | None, request: gr.Request) -> Updates:
        view = context.view(view, request)
        wanted = request.query_params.get("c", "")
        try:
            view = chat_view.opened(view, chat, wanted) if wanted else chat_view.closed(view)
        except PlaygroundError as error:
            view = chat_view.failed(chat_view.closed(view), words, error)
        return render(page, view, context)

    tabs = (page.chat, page.conversations, page.picker, page.settings)
    components = [component for tab in tabs for component in tab.components]
    following = chat_tab.wire_following(page.chat, page.state, context)
    following.success(settle, [page.state], [page.state, *components], queue=False, **QUIET)
    canvas = Canvas(
        context, page.state, components, lambda view: render(page, view, context), following, chat_view.failed
    )
    chat_tab.wire_chat_tab(page.chat, canvas, context)
    conversations_tab.wire_conversations_tab(page.conversations, canvas, context)
    picker_tab.wire_picker_tab(page.picker, canvas, context, doorkeeper)
    settings_tab.wire_settings_tab(page.settings, canvas, context)
    inside_tab.wire_inside_tab(page.inside, canvas, context)
    demo.load(on_load, [page.state], canvas.outputs, queue=False, **QUIET)
    models = picker_tab.showing(page.picker, context, doorkeeper)
    demo.load(models, None, [page.picker.models], queue=False, **QUIET)


def _wire_foot(page: Page, doorkeeper: Doorkeeper, demo: gr.Blocks, *, temporary: bool) -> None:
    def show(request: gr.Request) -> Updates:
        operator = is_operator(request, doorkeeper)
        return conversations_tab.render_foot(page.conversations, operator=operator, temporary=temporary)

    demo.load(show, None, [page.conversations.foot], queue=False, **QUIET)
