"""Settings: every field is shown, read back, and refused by name when it makes no sense."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from playground.domain import SamplingParams
from playground.errors import InvalidRequest
from playground.services import Services
from playground.ui.chat_view import ChatView
from playground.ui.settings_view import FIELDS, read_params, settings_view


def test_what_is_shown_is_read_back(services: Services) -> None:
    spec = services.catalog.get("echo")
    params = SamplingParams(
        temperature=0.25, top_p=0.5, top_k=7, min_p=0.1, repetition_penalty=1.2, max_tokens=9, seed=3
    )
    view = settings_view(ChatView("o", "echo", params=params), spec)
    assert view.changed
    assert read_params(view.params, spec.defaults) == params
    assert not settings_view(ChatView("o", "echo"), spec).changed
    assert settings_view(ChatView("o", "echo", system_prompt="Be brief."), spec).changed


def test_every_sampling_parameter_has_a_field_except_those_of_the_api() -> None:
    assert {item.name for item in FIELDS} == {item.name for item in fields(SamplingParams)} - {
        "stop",
        "logprobs",
        "presence_penalty",
        "frequency_penalty",
        "schema",
    }


def test_the_ends_of_every_field_are_accepted() -> None:
    for item in FIELDS:
        for value in (item.low, item.high, item.slider or item.high):
            read_params({item.name: value}, SamplingParams())


def test_what_has_no_field_stays() -> None:
    base = replace(SamplingParams(), stop=("END",))
    assert read_params({"temperature": 1}, base) == replace(base, temperature=1.0)


@pytest.mark.parametrize(
    ("table", "word"),
    [
        ({"temperatur": 1}, "temperatur is not a setting"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": 99}, "temperature"),
        ({"top_k": 1.5}, "whole number"),
        ({"max_tokens": None}, "max_tokens"),
        ({"seed": -1}, "seed"),
    ],
)
def test_nonsense_is_refused_by_name(table: dict[str, object], word: str) -> None:
    with pytest.raises(InvalidRequest, match=word):
        read_params(table, SamplingParams())
