"""A comparison as a file."""

from __future__ import annotations

import json
from dataclasses import replace

from playground.arena.contract import Mode
from playground.catalog.catalog import Catalog
from playground.catalog.spec import ModelSpec
from playground.domain import Message, SamplingParams
from playground.library.library import Identity
from playground.ui.arena.export import export_json, export_markdown, writers
from playground.ui.words import Words
from tests.ui.arena.test_stage_view import ANSWER, USER, seen, side


def identity(spec: ModelSpec) -> Identity:
    """What every model is here."""
    return Identity("c0ffee", "int4", spec.engine)


def test_markdown_has_equal_questions_once(catalog: Catalog, words: Words) -> None:
    other = (
        Message("user", "Hello"),
        Message("assistant", "Other"),
        Message("user", "More"),
        Message("assistant", "Yes"),
    )
    text = export_markdown(seen(side(), side(1, messages=other)), catalog, words)
    assert (text.count("Hello"), text.count("## A: Pip"), text.count("## B: Pip")) == (1, 1, 2)
    assert text.index("Three short words") < text.index("Other") < text.index("More") < text.index("Yes")


def test_json_has_everything_a_program_needs(catalog: Catalog, words: Words) -> None:
    told = json.loads(export_json(seen(side(), side(1), winner="tie"), catalog, words, identity=identity))
    assert (told["mode"], told["winner"], told["sides"][0]["model"]) == ("named", "tie", "pip")
    assert told["sides"][0]["messages"][1]["usage"]["completion_tokens"] == 20


def test_settings_are_those_used_and_revision_and_precision_are_told(catalog: Catalog, words: Words) -> None:
    shown = seen(side(), side(1))
    own = replace(shown.comparison.sides[1], params=SamplingParams(temperature=0.25))
    shown = replace(shown, comparison=replace(shown.comparison, sides=(shown.comparison.sides[0], own)))
    usual, changed = json.loads(export_json(shown, catalog, words, identity=identity))["sides"]
    assert usual["params"]["temperature"] == catalog.get("pip").defaults.temperature != 0.25
    assert changed["params"]["temperature"] == 0.25
    assert (usual["revision"], usual["precision"]) == ("c0ffee", "int4")
    blind = replace(shown, comparison=replace(shown.comparison, mode=Mode.BLIND))
    text = export_json(blind, catalog, words, identity=identity)
    assert "c0ffee" not in text
    assert "int4" not in text
    assert json.loads(text)["sides"][1]["params"] is None


def test_an_answer_of_before_a_change_goes_by_who_wrote_it(catalog: Catalog, words: Words) -> None:
    later = (*side().messages, Message("user", "More"), Message("assistant", "Mine", model_id="echo"))
    shown = seen(side(), side(1, model_id="echo", messages=later))
    text = export_markdown(shown, catalog, words)
    assert text.count("## B: Pip\n\nThree short words") == text.count("## B: Echo\n\nMine") == 1
    written = [
        message.get("model")
        for message in json.loads(export_json(shown, catalog, words, identity=identity))["sides"][1]["messages"]
    ]
    assert written == [None, "pip", None, "echo"]


def test_a_blind_one_has_no_names(catalog: Catalog, words: Words) -> None:
    shown = seen(side(), side(1), mode=Mode.BLIND)
    for _, write in writers(identity).values():
        text = write(shown, catalog, words)
        assert "pip" not in text.lower()
        assert ANSWER.content in text
        assert USER.content in text
    revealed = replace(shown, comparison=replace(shown.comparison, revealed=True))
    assert "Pip" in export_markdown(revealed, catalog, words)
