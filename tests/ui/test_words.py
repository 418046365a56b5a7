"""English and Vietnamese are both complete, and every word is used."""

from __future__ import annotations

import re
import string
from pathlib import Path
from typing import get_args

import pytest

import playground.errors
from playground.arena.batches import Stage as BatchStage
from playground.arena.style import FEATURES
from playground.catalog.memory_plan import Verdict
from playground.chat import prompt_views
from playground.domain import Action, Role, Stage
from playground.errors import PlaygroundError, QuestionFault
from playground.moderation.categories import CATEGORIES
from playground.moderation.policy import Unavailable
from playground.moderation.segmentation import UNITS
from playground.review.numbers import OTHER, UNAVAILABLE, Dimension, Period
from playground.storage.reports import LABELS, Kind
from playground.ui import words as module
from playground.ui.arena.board_view import HEADS, KINDS, TIES
from playground.ui.arena.compare_view import WINNERS
from playground.ui.arena.queue_view import HEADS as QUEUE_HEADS
from playground.ui.arena.queue_view import Ending
from playground.ui.inside_view import LEVELS
from playground.ui.picker_tab import SIZES
from playground.ui.settings_view import FIELDS
from playground.ui.words import LANGUAGES, Words, load_words

SOURCES = [
    *Path(module.__file__).parent.rglob("*.py"),
    *Path(module.__file__).parent.glob("static/*/*.js"),
]
# Keys that are put together from data.
SECTIONS_FROM_DATA = ("category.", "engine.", "error.", "explanation.", "tag.")
SIDES = ("input", "output")
FROM_DATA = {
    *(f"live.{stage.value}" for stage in Stage),
    *(f"settings.{field.name}{end}" for field in FIELDS for end in ("", "_hint")),
    *(f"picker.{state}" for state in ("loaded", "loading", "ready", "absent", "partly", "working")),
    *(f"picker.{stage}" for stage in (Stage.DOWNLOADING, Stage.CONVERTING)),
    *(f"plan.{verdict.value}" for verdict in Verdict),
    *(f"picker.fetch_{state}" for state in ("absent", "partly")),
    *(f"picker.sort_{sort}" for sort in ("downloads", "likes", "trending_score", "last_modified")),
    *(f"picker.size_{size or 'any'}" for size in SIZES),
    *(f"model.{code}" for code in LANGUAGES),
    *(f"notice.{side}_blocked{end}" for side in SIDES for end in ("", "_text", "_next")),
    *(f"notice.{kind}_{side}{end}" for kind in ("warned", "redacted") for side in SIDES for end in ("", "_text")),
    *(f"notice.unavailable{part}_{side}" for part in ("", "_next") for side in SIDES),
    *(f"fact.direction_{side}" for side in SIDES),
    *(f"fact.{fact}" for fact in ("score", "language", "model", "receipt")),
    *(f"inside.tab_{tab}" for tab in ("tokens", "next", "prompt")),
    *(f"inside.level_{level}" for level in range(len(LEVELS) + 1)),
    *(f"inside.source_{source}" for source in prompt_views.SOURCES),
    *(f"inside.role_{role}" for role in get_args(Role)),
    *(f"inside.cut_{reason}" for reason in ("room", "stopped")),
    *(f"surprise.{name}{end}" for name in ("per_character", "per_token", "per_word") for end in ("", "_hint")),
    *(f"surprise.{said}_{whose}" for said in ("parting", "never") for whose in ("own", "other")),
    *(f"workbench.{side}" for side in SIDES),
    *(f"workbench.kind_{kind}_{side}" for kind in get_args(Kind) for side in SIDES),
    *(f"workbench.did_{action.value}" for action in Action),
    *(f"workbench.do_{action.value}" for action in Action if action is not Action.ALLOW),
    *(f"workbench.outcome_{outcome}" for outcome in (*Action, "unavailable")),
    *(f"workbench.by_{dimension}" for dimension in get_args(Dimension)),
    *(f"workbench.period_{period}" for period in get_args(Period)),
    *(f"workbench.label_{label}" for label in LABELS),
    *(f"workbench.unit_{unit}" for unit in UNITS),
    *(f"workbench.unavailable_{choice}" for choice in get_args(Unavailable)),
    *(f"workbench.checks_{state}" for state in ("off", "shadow")),
    *(f"workbench.replay_{head}" for head in ("when", "before", "after")),
    *(f"workbench.{head}" for head in ("decisions", "blocked", "redacted", "warned", "shadowed", "rate")),
    *(f"workbench.finding_{part}" for part in ("category", "action", "span", "words", "reason")),
    *(f"workbench.{name}" for name in (OTHER, UNAVAILABLE, "scores")),
    *(f"board.none_{kind}" for kind in KINDS),
    *(f"board.kind_{kind}{end}" for kind in KINDS for end in ("", "_hint")),
    *(f"board.ties_{rule}{end}" for rule in TIES for end in ("", "_hint")),
    *(f"board.head_{head}{end}" for head in HEADS for end in ("", "_hint")),
    *(f"board.feature_{feature}" for feature in FEATURES),
    *(f"board.style_{way}" for way in ("more", "less")),
    *(f"arena.vote_{button}" for button in WINNERS),
    *(f"duels.bad_{reason}" for reason in get_args(QuestionFault)),
    *(f"duels.stage_{stage}" for stage in get_args(BatchStage) if stage != "answered"),
    *(f"duels.{ending}_{part}" for ending in get_args(Ending) for part in ("title", "text")),
    *(f"duels.head_{head}" for head in QUEUE_HEADS),
}


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_the_same_keys_and_placeholders() -> None:
    english, vietnamese = load_words("en"), load_words("vi")
    assert set(english.table) == set(vietnamese.table)
    assert set(english.gradio) == set(vietnamese.gradio)
    for key, text in english.table.items():
        assert placeholders(text) == placeholders(vietnamese.table[key]), key
        assert vietnamese.table[key].strip(), key


def test_vietnamese_is_vietnamese() -> None:
    english, vietnamese = load_words("en").table, load_words("vi").table
    same = {key for key, text in english.items() if vietnamese[key] == text}
    assert same <= {
        "page.title", "shell.name", "settings.top_p", "settings.top_k", "settings.min_p", "stats.milliseconds",
        "stats.tokens", "workbench.replay_turn", "workbench.took", "board.record", "board.percent",
    }  # fmt: skip


def test_every_key_in_the_sources_exists_and_every_key_is_used() -> None:
    table = set(load_words("en").table)
    text = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    sections = {key.split(".")[0] for key in table}
    used = {key for key in re.findall(r"[\"'`]([a-z]+\.[a-z_]+)[\"'`]", text) if key.split(".")[0] in sections}
    assert used <= table | {"playground.ui"}, used - table
    unused = {key for key in table - used - FROM_DATA if not key.startswith(SECTIONS_FROM_DATA)}
    assert not unused


@pytest.mark.parametrize("language", LANGUAGES)
def test_keys_made_from_data_exist(language: str) -> None:
    words = load_words("vi" if language == "vi" else "en")
    codes = {kind.code for kind in vars(playground.errors).values() if _is_error(kind)}
    wanted = {f"error.{code}" for code in codes}
    wanted |= {f"category.{category}" for category in CATEGORIES}
    assert not {key for key in wanted | FROM_DATA if words.find(key) is None}


def _is_error(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, PlaygroundError)


def test_an_unknown_key_is_named(words: Words) -> None:
    with pytest.raises(KeyError, match=r"nowhere\.at_all"):
        words("nowhere.at_all")


def test_numbers_are_written_as_people_write_them() -> None:
    assert load_words("en").number(12345.678, 2) == "12,345.68"
    assert load_words("vi").number(12345.678, 2) == "12.345,68"
