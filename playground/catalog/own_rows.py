"""The catalogue rows that were added while the playground ran: a catalogue file of its own, in the data folder.

It has the form of `models.toml`, so people may edit it too; a change made here keeps their rows, not their comments.
"""

from __future__ import annotations

import json
import threading
import tomllib
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from playground.catalog.rows import read_rows
from playground.catalog.spec import ModelSource, ModelSpec
from playground.errors import ConfigError, StorageError
from playground.text import plain

FILE = "models.toml"
_HEAD = "# Models added to this playground. The form is that of playground/catalog/models.toml.\n"
_KEPT = (
    *("id", "name", "family", "engine", "context_length", "description", "licence", "languages", "path", "parameters"),
    *("size_bytes", "precision", "tags", "link", "engines", "source", "gated", "tasks", "reasoning_tags"),
)


class OwnRows:
    """The rows of one file. Safe to use from many threads."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()

    def put(self, spec: ModelSpec) -> ModelSpec:
        """Keep a row, in place of one with its id; returns it as it will be read. Raises StorageError, ConfigError."""
        with self._lock:
            rows = [row for row in self._tables() if row.get("id") != spec.id]
            self._write([*rows, _row(spec)])
            return next(row for row in read_rows([self._file]) if row.id == spec.id)

    def drop(self, model_id: str) -> bool:
        """Forget a row; whether there was one. Raises StorageError, ConfigError."""
        with self._lock:
            rows = self._tables()
            kept = [row for row in rows if row.get("id") != model_id]
            if len(kept) != len(rows):
                self._write(kept)
            return len(kept) != len(rows)

    def _tables(self) -> list[dict[str, Any]]:
        if not self._file.exists():
            return []
        read_rows([self._file])  # names what is wrong, before anything of it is lost
        tables: list[dict[str, Any]] = tomllib.loads(self._file.read_text(encoding="utf-8")).get("models", [])
        return tables

    def _write(self, rows: list[dict[str, Any]]) -> None:
        text = _HEAD + "".join(f"\n[[models]]\n{_lines(row)}" for row in rows)
        part = self._file.with_name(f".{self._file.name}.part")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(text, encoding="utf-8")
            part.replace(self._file)
        except OSError as error:
            raise StorageError(f"The list of added models cannot be written ({error.strerror}).") from error


def _row(spec: ModelSpec) -> dict[str, Any]:
    unset = {item.name: item.default for item in fields(ModelSpec)}
    row = {name: getattr(spec, name) for name in _KEPT if getattr(spec, name) != unset[name]}
    if isinstance(spec.source, ModelSource):
        row["source"] = {name: value for name, value in asdict(spec.source).items() if value}
    return row


def _lines(row: dict[str, Any]) -> str:
    return "".join(f"{name} = {_value(value)}\n" for name, value in row.items())


def _value(value: object) -> str:
    """A TOML value on one line. JSON's strings are TOML's, once there are no control characters in them."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, str | Path):
        return json.dumps(plain(str(value)), ensure_ascii=False)
    raise ConfigError(f"A catalogue row cannot hold a {type(value).__name__}; write it as text.")
