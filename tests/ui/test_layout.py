"""The wiring: every handler gets what it asks for, every render fills what it declares, and nothing is public."""

from __future__ import annotations

import asyncio
import inspect
from typing import get_type_hints

import gradio as gr
import pytest

from playground.services import Services
from playground.ui import chat_tab, conversations_tab, layout, picker_tab, settings_tab
from playground.ui.canvas import Context
from playground.ui.chat_view import ChatView
from playground.ui.layout import Page, build_page
from playground.ui.words import Words
from playground.ui.workbench.access import Doorkeeper

OWNER = "0" * 32


@pytest.fixture
def demo(services: Services) -> gr.Blocks:
    async def build() -> gr.Blocks:
        return build_page(services, "en", Doorkeeper("", "127.0.0.1"))

    return asyncio.run(build())


@pytest.fixture
def page() -> Page:
    async def lay_out() -> Page:
        with gr.Blocks():
            return layout._lay_out()

    return asyncio.run(lay_out())


def test_every_handler_takes_exactly_its_inputs(demo: gr.Blocks) -> None:
    counted = 0
    for function in demo.fns.values():
        if function.fn is None:
            continue
        hints = get_type_hints(function.fn)
        names = [
            name
            for name in inspect.signature(function.fn).parameters
            if not (isinstance(hints.get(name), type) and issubclass(hints[name], gr.Request | gr.EventData))
        ]
        assert len(names) == len(function.inputs), function.fn
        counted += 1
    assert counted >= 15


def test_nothing_is_a_public_endpoint(demo: gr.Blocks) -> None:
    assert {function.api_visibility for function in demo.fns.values()} == {"private"}
    assert demo.get_api_info()["named_endpoints"] == {}
    assert demo.get_api_info()["unnamed_endpoints"] == {}


def test_only_following_an_answer_is_queued_and_it_updates_two_components(demo: gr.Blocks) -> None:
    queued = [function for function in demo.fns.values() if function.queue]
    assert [function.name for function in queued] == ["follow"]
    assert len(queued[0].outputs) == 2
    assert queued[0].concurrency_limit is None


def test_render_fills_exactly_what_it_declares(services: Services, words: Words, page: Page) -> None:
    context, view = Context(services, words), ChatView(OWNER, "echo")
    parts = (
        (chat_tab.render(page.chat, view, context), page.chat.components),
        (conversations_tab.render(page.conversations, view, context), page.conversations.components),
        (picker_tab.render(page.picker, view, context), page.picker.components),
        (settings_tab.render(page.settings, view, context), page.settings.components),
    )
    everything = [page.state]
    for updates, components in parts:
        assert list(updates) == components
        everything += components
    assert list(layout.render(page, view, context)) == everything


def test_a_model_that_left_the_catalogue_does_not_break_the_page(services: Services, words: Words, page: Page) -> None:
    updates = layout.render(page, ChatView(OWNER, "gone/for-good"), Context(services, words))
    assert updates[page.picker.picker] == {"chosen": "gone/for-good", "name": "gone/for-good", "state": "missing"}


def test_templates_never_contain_data(demo: gr.Blocks) -> None:
    islands = [block for block in demo.blocks.values() if isinstance(block, gr.HTML)]
    assert len(islands) >= 10
    for island in islands:
        assert island.html_template == f'<div class="island-{island.elem_id}"></div>'
        assert "${" not in island.html_template + island.css_template + (island.js_on_load or "")
        assert "{{" not in island.html_template + island.css_template + (island.js_on_load or "")
