"""The settings dialog: system prompt and sampling, per conversation."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import gradio as gr
from gradio.components import Component

from playground.ui import chat_view
from playground.ui.canvas import ChatCanvas, Context, Updates
from playground.ui.chat_view import ChatView
from playground.ui.island import build_island, read_field, read_table
from playground.ui.settings_view import read_params, settings_view

LONGEST_PROMPT = 1_000_000


@dataclass(frozen=True, slots=True)
class SettingsTab:
    """The components, by name."""

    settings: gr.HTML

    @property
    def components(self) -> list[Component]:
        """All of them: the keys of `render`."""
        return [self.settings]


def build_settings_tab() -> SettingsTab:
    """Lay out the button and its dialog."""
    return SettingsTab(build_island("settings", events=("save",)))


def render(tab: SettingsTab, view: ChatView, context: Context) -> Updates:
    """The settings of this conversation; nothing for a model that is not in the catalogue any more."""
    if view.model_id not in context.services.catalog:
        return {tab.settings: {}}
    return {tab.settings: asdict(settings_view(view, context.services.catalog.get(view.model_id)))}


def wire_settings_tab(tab: SettingsTab, canvas: ChatCanvas, context: Context) -> None:
    """Connect the dialog."""
    services, words = context.services, context.words

    def save(view: ChatView, event: gr.EventData) -> ChatView:
        prompt = read_field(event, "system_prompt", LONGEST_PROMPT)
        defaults = services.catalog.get(view.model_id).defaults
        params = read_params(read_table(event, "params"), view.params or defaults)
        return chat_view.with_settings(view, services.chat, words, prompt, params)

    canvas.wire(tab.settings.save, save)
