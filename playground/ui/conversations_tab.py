"""The side bar: name, conversations, language and theme."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import gradio as gr
from gradio.components import Component

from playground.errors import PlaygroundError
from playground.ui import chat_view
from playground.ui.canvas import QUIET, ChatCanvas, Context, Updates
from playground.ui.chat_view import ChatView
from playground.ui.conversations_view import listed
from playground.ui.island import build_island, read_field

LONGEST_ID = 64
LONGEST_TITLE = 1000


@dataclass(frozen=True, slots=True)
class ConversationsTab:
    """The components, by name. `foot` is drawn once per visit."""

    conversations: gr.HTML
    foot: gr.HTML

    @property
    def components(self) -> list[Component]:
        """What is drawn anew for every view: the keys of `render`."""
        return [self.conversations]


def build_conversations_tab() -> ConversationsTab:
    """Lay out the side bar."""
    build_island("brand")
    conversations = build_island("conversations", events=("create", "choose", "rename", "remove", "restore", "search"))
    return ConversationsTab(conversations, build_island("sidefoot", {"workbench": False, "temporary": False}))


def render(tab: ConversationsTab, view: ChatView, context: Context, query: str = "") -> Updates:
    """The person's conversations, with the one on display marked."""
    try:
        found = context.services.chat.conversations(view.owner, query)
    except PlaygroundError:
        return {tab.conversations: gr.skip()}
    return {tab.conversations: asdict(listed(found, view.conversation_id, context.words, query))}


def render_foot(tab: ConversationsTab, *, operator: bool, temporary: bool) -> Updates:
    """Language, theme and export; whether what is stored will be lost; and the way to the workbench for the operator,
    whom visitors need not know to exist.
    """
    return {tab.foot: {"workbench": operator, "temporary": temporary}}


def wire_conversations_tab(tab: ConversationsTab, canvas: ChatCanvas, context: Context) -> None:
    """Connect the list."""
    chat, words = context.services.chat, context.words

    def choose(view: ChatView, event: gr.EventData) -> ChatView:
        wanted = read_field(event, "id", LONGEST_ID)
        return chat_view.opened(view, chat, wanted) if wanted else chat_view.closed(view)

    def remove(view: ChatView, event: gr.EventData) -> ChatView:
        gone = read_field(event, "id", LONGEST_ID)
        chat.delete(view.owner, gone)
        return chat_view.closed(view) if gone == view.conversation_id else chat_view.refreshed(view, chat)

    def restore(view: ChatView, event: gr.EventData) -> ChatView:
        back = read_field(event, "id", LONGEST_ID)
        chat.restore(view.owner, back)
        return chat_view.refreshed(view, chat) if view.messages else chat_view.opened(view, chat, back)

    def rename(view: ChatView, event: gr.EventData) -> ChatView:
        title = read_field(event, "title", LONGEST_TITLE)
        chat.rename(view.owner, read_field(event, "id", LONGEST_ID), title, words.language)
        return chat_view.refreshed(view, chat)

    def on_search(view: ChatView | None, request: gr.Request, event: gr.EventData) -> Updates:
        return render(tab, context.view(view, request), context, read_field(event, "query", LONGEST_TITLE))

    canvas.wire(tab.conversations.create, lambda view, _: chat_view.closed(view))
    canvas.wire(tab.conversations.choose, choose)
    canvas.wire(tab.conversations.remove, remove)
    canvas.wire(tab.conversations.restore, restore)
    canvas.wire(tab.conversations.rename, rename)
    tab.conversations.search(on_search, [canvas.state], tab.components, queue=False, **QUIET)
