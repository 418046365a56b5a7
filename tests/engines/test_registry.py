"""Which engine a catalogue row gets, and what is said when the row asks for something there is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from playground.catalog.catalog import Catalog
from playground.engines.contract import EngineOptions
from playground.engines.registry import kind_of
from playground.errors import ModelLoadError

ECHO = Catalog.load().get("echo")


def test_the_options_of_a_row_reach_the_engine() -> None:
    spec = replace(ECHO, engine_options={"piece_chars": 3, "backwards": True, "delay_seconds": 0.0})
    engine = kind_of(spec).create(spec, EngineOptions(), lambda _: None)
    assert engine.capabilities.context_length == ECHO.context_length
    engine.close()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"engine": "ekko"}, "asks for an engine named ekko; there are: echo"),
        ({"engine_options": {"size": 3}}, "option named size; echo knows: backwards, delay_seconds, piece_chars"),
        ({"engine_options": {"piece_chars": True}}, "has True for piece_chars; it must be of type int"),
        ({"engine_options": {"piece_chars": 0}}, "piece_chars is 0; it must be at least 1. Correct its catalogue"),
    ],
)
def test_mistakes_are_named(changes: dict[str, object], sentence: str) -> None:
    spec = replace(ECHO, **changes)  # type: ignore[arg-type]  # each row has fields of their own types
    with pytest.raises(ModelLoadError, match=sentence):
        kind_of(spec).create(spec, EngineOptions(), lambda _: None)
