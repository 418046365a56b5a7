"""Islands: parts of the page that our own scripts draw, as Gradio components that carry plain data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import gradio as gr

from playground.errors import InvalidRequest
from playground.text import without_halves


def build_island(name: str, value: object = None, events: tuple[str, ...] = ()) -> gr.HTML:
    """A component whose value `static/js` draws into a fixed frame; its element id is `name`.

    The template never contains data: text from people and models reaches the document through textContent only.
    `events` become listeners of the component, `island.<event>(...)`.
    """
    listeners = json.dumps(events)
    return gr.HTML(
        value=value if value is not None else {},
        html_template=f'<div class="island-{name}"></div>',
        js_on_load=f'playground.mount("{name}", element, props, trigger, watch, {listeners})',
        apply_default_css=False,
        elem_id=name,
    )


def read_field(event: gr.EventData, name: str, longest: int) -> str:
    """A text that the page sent along with an event, fit to be sent back.

    Raises InvalidRequest when it is missing, not text, or longer than `longest` characters.
    """
    data: Any = event._data
    text = data.get(name) if isinstance(data, Mapping) else None
    if not isinstance(text, str) or len(text) > longest:
        raise InvalidRequest(f"{name} must be text of at most {longest} characters.")
    return without_halves(text)


def read_table(event: gr.EventData, name: str) -> Mapping[str, object]:
    """A table that the page sent along with an event. Raises InvalidRequest when it is something else."""
    data: Any = event._data
    table = data.get(name) if isinstance(data, Mapping) else None
    if not isinstance(table, Mapping):
        raise InvalidRequest(f"{name} must be a table of values.")
    return table


def read_count(event: gr.EventData, name: str, most: int) -> int:
    """A whole number that the page sent along with an event. Raises InvalidRequest unless it is 0 to `most`."""
    data: Any = event._data
    value = data.get(name) if isinstance(data, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise InvalidRequest(f"{name} must be a whole number from 0 to {most}.")
    return value


def read_numbers(event: gr.EventData, name: str, most: int) -> tuple[int, ...]:
    """A list of at most so many whole numbers. Raises InvalidRequest when it is something else."""
    data: Any = event._data
    numbers = data.get(name) if isinstance(data, Mapping) else None
    if not isinstance(numbers, list) or len(numbers) > most or not all(type(item) is int for item in numbers):
        raise InvalidRequest(f"{name} must be a list of at most {most} whole numbers.")
    return tuple(numbers)
