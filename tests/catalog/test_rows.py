"""An operator's file adds and changes models; whatever is wrong in it is named by file, row and key."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from playground.catalog.catalog import SHIPPED, Catalog
from playground.domain import SamplingParams
from playground.errors import ConfigError

ROW = """
[[models]]
id = "org/tiny"
name = "Tiny"
family = "Tiny"
engine = "onnx"
context_length = 2048
licence = "MIT"
languages = ["en"]
path = "tiny/int8"
reasoning_tags = ["<think>", "</think>"]
defaults = { temperature = 0.2, stop = ["###"] }
description = { en = "Small.", vi = "Nhỏ." }
engine_options = { threads = 2 }
"""


def load(tmp_path: Path, text: str) -> Catalog:
    file = tmp_path / "more.toml"
    file.write_text(text, encoding="utf-8")
    return Catalog.load([*SHIPPED, file])


def test_a_new_row_adds_a_model(tmp_path: Path) -> None:
    spec = load(tmp_path, ROW).get("org/tiny")
    assert spec.path == tmp_path / "tiny" / "int8"
    assert spec.defaults == SamplingParams(temperature=0.2, stop=("###",))
    assert spec.reasoning_tags == ("<think>", "</think>")
    assert spec.history_turns is None
    assert spec.engine_options == {"threads": 2}


def test_a_known_id_changes_only_the_keys_it_names(tmp_path: Path) -> None:
    before = Catalog.load().get("pip")
    changed = load(tmp_path, '[[models]]\nid = "pip"\nname = "My Pip"\npath = "/models/pip"')
    assert changed.get("pip") == replace(before, name="My Pip", path=Path("/models/pip"))
    assert len(changed) == len(Catalog.load())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("models = 3", "models must be tables"),
        ("model = []", "unknown key model"),
        ("[[models]]\nid = 3", "model 1: id is 3"),
        ('[[models]]\nid = "../x"', "id is '../x'"),
        ('[[models]]\nid = "a"\nname = "A"', r"model 1 \(a\): family is missing"),
        (ROW + ROW, "model 2: the id 'org/tiny' is there twice"),
        (ROW + 'enigne = "onnx"', "unknown key enigne. Did you mean engine"),
        (ROW + "zzz = 1", "unknown key zzz. There are: context_length"),
        (ROW.replace("2048", '"long"'), "context_length is 'long'; it must be a whole number of at least 16"),
        (ROW.replace("2048", "true"), "context_length is True"),
        (ROW.replace('["en"]', '"en"'), "languages must be a list of texts"),
        (ROW.replace('"Tiny"', '""', 1), "name must be a text that is not empty"),
        (ROW.replace("0.2", "9"), "defaults is not valid: temperature is 9"),
        (ROW.replace("temperature", "temprature"), "defaults has an unknown key temprature. There are: temperature"),
        (ROW.replace(', vi = "Nhỏ."', ""), "description must have exactly the languages en, vi"),
        (ROW.replace(', "</think>"', ""), "reasoning_tags must be two different texts"),
        (ROW.replace("defaults = {", "defaults = 3 #"), "defaults must be a table"),
        (ROW.replace("threads = 2", "threads = [2]"), "engine_options must be a table of texts, numbers"),
        (ROW + 'source = { repo = "tiny" }', "source has a repo 'tiny'; it must be like owner/name"),
        (ROW + 'source = { repo = "a/../b" }', "source has a repo"),
        (ROW + 'source = { repo = "a/b", revision = "../x" }', "source has a revision '../x'; it must be like main"),
        (ROW + 'source = { repo = "a/b", format = "pickle" }', "source has a format 'pickle'; it must be one of"),
        (ROW + 'unavailable = { en = "No." }', "unavailable must have exactly the languages en, vi"),
        ("[[models", "cannot be read"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        load(tmp_path, text)
    assert "more.toml" in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml cannot be read"):
        Catalog.load([tmp_path / "nowhere.toml"])
