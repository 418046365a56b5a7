"""A comparison as a file."""

from __future__ import annotations

import json
from dataclasses import replace

from playground.arena.contract import Mode
from playground.catalog.catalog import Catalog
from playground.domain import Message
from playground.ui.arena.export import export_json, export_markdown
from playground.ui.words import Words
from tests.ui.arena.test_stage_view import ANSWER, USER, seen, side


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
    told = json.loads(export_json(seen(side(), side(1), winner="tie"), catalog, words))
    assert (told["mode"], told["winner"], told["sides"][0]["model"]) == ("named", "tie", "pip")
    assert told["sides"][0]["messages"][1]["usage"]["completion_tokens"] == 20


def test_a_blind_one_has_no_names(catalog: Catalog, words: Words) -> None:
    shown = seen(side(), side(1), mode=Mode.BLIND)
    for write in (export_json, export_markdown):
        text = write(shown, catalog, words)
        assert "pip" not in text.lower()
        assert ANSWER.content in text
        assert USER.content in text
    revealed = replace(shown, comparison=replace(shown.comparison, revealed=True))
    assert "Pip" in export_markdown(revealed, catalog, words)
