"""What is asked for once and opens beside the columns: a copy as a chat, differences, surprise, the list of models."""

from __future__ import annotations

from dataclasses import asdict

import gradio as gr

from playground.arena.contract import MOST_SIDES
from playground.errors import InvalidRequest, PlaygroundError
from playground.ui.arena import compare_view
from playground.ui.arena.canvas import ArenaCanvas, ArenaContext
from playground.ui.arena.compare_view import ArenaView
from playground.ui.arena.difference import find_differences
from playground.ui.arena.side_view import answer_text
from playground.ui.arena.stage_view import stage_view
from playground.ui.arena.surprise_view import surprises
from playground.ui.canvas import QUIET, Updates
from playground.ui.island import read_count, read_field
from playground.ui.notice_view import error_notice

LONGEST_TICKET = 64


def wire_parcels(stage: gr.HTML, parcel: gr.HTML, canvas: ArenaCanvas) -> None:
    """Connect the events of `stage` whose answer comes as the value of `parcel`."""
    context = canvas.context

    def detach(view: ArenaView | None, request: gr.Request, event: gr.EventData) -> Updates:
        view = context.view(view, request)
        try:
            if view.shown is None or view.hidden:
                raise InvalidRequest("There is nothing to open yet. Write a message first, or vote.")
            position = read_count(event, "position", MOST_SIDES - 1)
            copy = context.arena.detach(view.owner, view.shown.comparison.id, position)
        except PlaygroundError as error:
            return canvas.render(compare_view.failed(view, context.words, error))
        return {parcel: {"kind": "chat", "id": copy}}

    def differ(view: ArenaView | None, request: gr.Request) -> Updates:
        return {parcel: {"kind": "difference", "columns": _differences(context.view(view, request), context)}}

    def surprise(view: ArenaView | None, request: gr.Request, event: gr.EventData) -> Updates:
        ticket = read_field(event, "ticket", LONGEST_TICKET)
        return {parcel: {"kind": "surprise", "ticket": ticket, **_surprise(context.view(view, request), context)}}

    def models() -> Updates:
        return {parcel: {"kind": "models", "models": [asdict(card) for card in context.models()]}}

    stage.detach(detach, [canvas.state], [parcel, *canvas.outputs], queue=False, **QUIET)
    stage.differences(differ, [canvas.state], [parcel], queue=False, **QUIET)
    stage.surprise(surprise, [canvas.state], [parcel], queue=False, trigger_mode="multiple", **QUIET)
    stage.models(models, None, [parcel], queue=False, **QUIET)


def _differences(view: ArenaView, context: ArenaContext) -> list[dict[str, object]]:
    """Each answer with the words marked that only it has."""
    if view.shown is None:
        return []
    cards = stage_view(view, context.services.catalog, context.words).cards
    found = find_differences([answer_text(side) for side in view.shown.sides])
    return [
        {"letter": card.letter, "name": card.name, **asdict(difference)}
        for card, difference in zip(cards, found, strict=True)
    ]


def _surprise(view: ArenaView, context: ArenaContext) -> dict[str, object]:
    """Each answer as each model reads it, or why it cannot be told."""
    words = context.words
    try:
        shown = compare_view.on_display(view)
        read = context.arena.surprise(view.owner, shown.comparison.id, words.language)
        cards = stage_view(view, context.services.catalog, words).cards
        return {"found": asdict(surprises(read, cards, words))}
    except PlaygroundError as error:
        return {"error": error_notice(error, words).text}
