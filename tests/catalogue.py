"""Catalogue files of the tests' own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

ROW = """
[[models]]
id = {id}
name = {id}
family = "Echo"
engine = {engine}
context_length = 32768
licence = "Apache-2.0"
languages = ["en", "vi"]
description = {{ en = "For a test.", vi = "Để thử." }}
{more}
"""


def write_models(file: Path, models: Mapping[str, Mapping[str, object]], engine: str = "echo") -> Path:
    """A catalogue file: id -> further keys of the row. JSON's numbers, texts and lists are TOML's too."""
    rows = [
        ROW.format(
            id=json.dumps(model_id),
            engine=json.dumps(keys.get("engine", engine)),
            more="\n".join(f"{key} = {_toml(value)}" for key, value in keys.items() if key != "engine"),
        )
        for model_id, keys in models.items()
    ]
    file.write_text("".join(rows), encoding="utf-8")
    return file


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)
