"""From a row of a catalogue file to a `ModelSpec`, with errors that name file, row and key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from playground.catalog.servers import parse_servers
from playground.catalog.spec import ModelSource, ModelSpec, SourceFormat
from playground.domain import SamplingParams
from playground.errors import ConfigError

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}")
# A Hub id, and a commit, tag or branch: what a person would paste, and nothing that leads out of an address's path.
_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,254}")
_LANGUAGES = ("en", "vi")
Parser = Callable[[Any], Any]


def read_rows(files: Iterable[Path]) -> list[ModelSpec]:
    """The models of all files, later rows laid over earlier ones with the same id.

    Raises ConfigError naming file, row and key.
    """
    rows: dict[str, dict[str, Any]] = {}
    places: dict[str, str] = {}
    for file in files:
        seen: set[str] = set()
        for number, row in enumerate(_tables(file), 1):
            place = f"{file}, model {number}"
            model_id = _row_id(row, place)
            if model_id in seen:
                raise ConfigError(f"{place}: the id {model_id!r} is there twice; give one of them another id.")
            seen.add(model_id)
            place += f" ({model_id})"
            keys = _parsed(row, place, file.absolute().parent)
            rows[model_id] = rows.get(model_id, {}) | keys
            if "path" in keys and "source" not in keys:  # the files are there: nothing is to be fetched for them
                rows[model_id].pop("source", None)
            places[model_id] = place
    return [_spec(row, places[model_id]) for model_id, row in rows.items()]


def _tables(file: Path) -> list[dict[str, Any]]:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"The model catalogue {file} cannot be read: {error}") from error
    unknown = sorted(set(content) - {"models"})
    if unknown:
        raise ConfigError(f"{file}: unknown key {unknown[0]}; every model is a table [[models]].")
    tables = content.get("models", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError(f"{file}: models must be tables [[models]], one for each model.")
    return tables


def _row_id(row: Mapping[str, Any], place: str) -> str:
    model_id = row.get("id")
    if not isinstance(model_id, str) or not _ID.fullmatch(model_id) or ".." in model_id:
        raise ConfigError(f"{place}: id is {model_id!r}; it must be letters, digits, and - _ . / between them.")
    return model_id


def _parsed(row: Mapping[str, Any], place: str, folder: Path) -> dict[str, Any]:
    parsers = PARSERS | {"path": lambda value: (folder / Path(_text(value)).expanduser()).resolve()}
    values: dict[str, Any] = {}
    for key, value in row.items():
        if key not in parsers:
            near = get_close_matches(key, parsers, 1)
            hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(sorted(parsers))}."
            raise ConfigError(f"{place}: unknown key {key}. {hint}")
        try:
            values[key] = parsers[key](value)
        except (ValueError, TypeError, RuntimeError) as error:  # the last: ~somebody who has no home here
            raise ConfigError(f"{place}: {key} {error}") from error
    return values


def _spec(values: Mapping[str, Any], place: str) -> ModelSpec:
    for item in fields(ModelSpec):
        required = item.default is MISSING and item.default_factory is MISSING
        if required and item.name not in values:
            raise ConfigError(f"{place}: {item.name} is missing.")
    return ModelSpec(**values)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be a text that is not empty.")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError("must be a list of texts.")
    return tuple(_text(item) for item in value)


def _whole(low: int) -> Parser:
    def parse(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < low:
            raise ValueError(f"is {value!r}; it must be a whole number of at least {low}.")
        return value

    return parse


def _by_language(parse: Parser) -> Parser:
    def parsed(value: object) -> dict[str, Any]:
        if not isinstance(value, dict) or set(value) != set(_LANGUAGES):
            raise ValueError(f"must have exactly the languages {', '.join(_LANGUAGES)}.")
        return {language: parse(value[language]) for language in _LANGUAGES}

    return parsed


def _tags_pair(value: object) -> tuple[str, str]:
    pair = _texts(value)
    if len(pair) != 2 or pair[0] == pair[1]:
        raise ValueError("must be two different texts: the opening and the closing one.")
    return pair[0], pair[1]


def _options(value: object) -> dict[str, str | int | float | bool]:
    if not isinstance(value, dict) or not all(isinstance(item, str | int | float) for item in value.values()):
        raise TypeError("must be a table of texts, numbers and true or false.")
    return value


def _sampling(value: object) -> SamplingParams:
    if not isinstance(value, dict):
        raise TypeError("must be a table of sampling parameters.")
    names = [item.name for item in fields(SamplingParams)]
    unknown = sorted(set(value) - set(names))
    if unknown:
        raise ValueError(f"has an unknown key {unknown[0]}. There are: {', '.join(names)}.")
    stop = {"stop": _texts(value["stop"])} if "stop" in value else {}
    try:
        return SamplingParams(**(value | stop))
    except ValueError as error:
        raise ValueError(f"is not valid: {error}") from error


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("must be true or false.")
    return value


_EXAMPLES = {"repo": "owner/name", "revision": "main, or a commit's 40 hexadecimal digits"}


def _source(value: object) -> ModelSource:
    if not isinstance(value, dict):
        raise TypeError('must be a table, as in { repo = "owner/name", revision = "..." }.')
    names = [item.name for item in fields(ModelSource)]
    unknown = sorted(set(value) - set(names))
    if unknown:
        raise ValueError(f"has an unknown key {unknown[0]}. There are: {', '.join(names)}.")
    parts = {name: _text(item) for name, item in value.items()}
    for name, form in (("repo", _REPO), ("revision", _REVISION)):
        if name in parts and (not form.fullmatch(parts[name]) or ".." in parts[name]):
            raise ValueError(f"has a {name} {parts[name]!r:.80}; it must be like {_EXAMPLES[name]}.")
    if parts.get("format", "transformers") not in get_args(SourceFormat):
        raise ValueError(f"has a format {parts['format']!r}; it must be one of {', '.join(get_args(SourceFormat))}.")
    return ModelSource(**parts)  # type: ignore[arg-type]  # the format was checked above


PARSERS: dict[str, Parser] = {
    "id": _text,
    "name": _text,
    "family": _text,
    "engine": _text,
    "precision": _text,
    "licence": _text,
    "link": _text,
    "context_length": _whole(16),
    "parameters": _whole(0),
    "size_bytes": _whole(0),
    "history_turns": _whole(0),
    "languages": _texts,
    "tags": _texts,
    "reasoning_tags": _tags_pair,
    "defaults": _sampling,
    "description": _by_language(_text),
    "suggestions": _by_language(_texts),
    "engine_options": _options,
    "engines": _texts,
    "source": _source,
    "gated": _flag,
    "unavailable": _by_language(_text),
    "tasks": _texts,
    "servers": parse_servers,
}
