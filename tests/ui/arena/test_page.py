"""The wiring of the arena's page: every handler gets what it asks for, and nothing is public."""

from __future__ import annotations

import asyncio
import inspect
from typing import get_type_hints

import gradio as gr
import pytest

from playground.errors import InvalidRequest, UnknownConversation, UnknownModel
from playground.services import Services
from playground.ui.arena import compare_view, page
from playground.ui.arena.canvas import ArenaContext
from playground.ui.arena.compare_view import ArenaView
from playground.ui.arena.page import ArenaPage, arrived, build_arena
from playground.ui.words import Words
from playground.ui.workbench.access import Doorkeeper
from tests.ui.arena.conftest import settled
from tests.ui.arena.memory import MemoryArena


@pytest.fixture
def demo(services: Services, arena: MemoryArena) -> gr.Blocks:
    async def build() -> gr.Blocks:
        return build_arena(services, arena, arena.standings, "en", Doorkeeper("", "127.0.0.1"))

    return asyncio.run(build())


@pytest.fixture
def laid() -> ArenaPage:
    async def lay_out() -> ArenaPage:
        with gr.Blocks():
            return page._lay_out("en")

    return asyncio.run(lay_out())


@pytest.fixture
def context(services: Services, arena: MemoryArena, words: Words) -> ArenaContext:
    return ArenaContext(services, arena, arena.standings, words)


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
    assert counted >= 18


def test_nothing_is_a_public_endpoint(demo: gr.Blocks) -> None:
    assert {function.api_visibility for function in demo.fns.values()} == {"private"}
    assert demo.get_api_info()["named_endpoints"] == {}
    assert demo.get_api_info()["unnamed_endpoints"] == {}


def test_only_following_is_queued(demo: gr.Blocks) -> None:
    queued = [function for function in demo.fns.values() if function.queue]
    assert [(function.name, len(function.outputs)) for function in queued] == [("follow", 5)]


def test_render_fills_exactly_what_it_declares(
    laid: ArenaPage, context: ArenaContext, view: ArenaView, words: Words
) -> None:
    asked = settled(compare_view.sent(view, context.arena, words, text="Hi", ticket="1"), context.arena)  # type: ignore[arg-type]
    for one in (view, asked, compare_view.switched(view, "battle", context.arena)):
        assert list(page.render(laid, one, context)) == [laid.state, laid.duels.queue, *laid.compare.components]


def test_templates_never_contain_data(demo: gr.Blocks) -> None:
    islands = [block for block in demo.blocks.values() if isinstance(block, gr.HTML)]
    assert len(islands) >= 15
    for island in islands:
        assert island.html_template == f'<div class="island-{island.elem_id}"></div>'
        assert "{{" not in island.html_template + island.css_template + (island.js_on_load or "")


def test_an_address_opens_what_it_names(context: ArenaContext, view: ArenaView, words: Words) -> None:
    there = arrived(view, {"models": "pip, echo,pip-fp32"}, context)
    assert [side.model_id for side in there.sides] == ["pip", "echo", "pip-fp32"]
    assert arrived(view, {"tab": "board"}, context).tab == "board"
    asked = compare_view.sent(view, context.arena, words, text="Hi", ticket="1")
    assert asked.shown is not None
    again = arrived(view, {"c": asked.shown.comparison.id, "models": "pip,echo"}, context)
    assert again.shown is not None
    assert again.shown.comparison == asked.shown.comparison
    for wrong, error in (
        ({"models": "pip,nothing"}, UnknownModel),
        ({"models": "pip"}, InvalidRequest),
        ({"tab": "duels", "duel": "f" * 32}, UnknownConversation),
        ({"c": "f" * 32}, UnknownConversation),
    ):
        with pytest.raises(error):
            arrived(view, wrong, context)


def test_a_tab_that_there_is_not_is_the_first_one_with_a_notice(
    context: ArenaContext, view: ArenaView, words: Words
) -> None:
    for tab in ("x", "SIDES", "constructor", "b" * 5000, "<b>"):
        there = arrived(view, {"tab": tab, "models": "pip,echo"}, context)
        assert (there.tab, [side.model_id for side in there.sides]) == ("sides", ["pip", "echo"])
        assert there.notice is not None
        assert (there.notice.kind, there.notice.title) == ("stopped", words("arena.no_tab"))
    assert arrived(view, {"tab": ""}, context).notice is None
    assert arrived(view, {"tab": "duels"}, context).tab == "duels"


def test_a_comparison_is_put_away_and_brought_back(context: ArenaContext, view: ArenaView, words: Words) -> None:
    asked = compare_view.sent(view, context.arena, words, text="Hi", ticket="1")
    assert asked.named is not None
    assert compare_view.without(asked, asked.named.comparison.id).named is None
    assert compare_view.without(asked, "f" * 32).named is asked.named
