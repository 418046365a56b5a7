"""An operator's own rules as a TOML file: word lists in the form of the shipped ones, and regular expressions.

[[group]]                       # words and phrases, found in spite of simple disguises
language = "en"                 # en compares letters without accents, others with them
category = "abuse"
score = 0.9
words = ["example word"]

[[pattern]]                     # a regular expression of the `regex` module
name = "staff-number"
category = "id_number"
score = 0.9
pattern = 'ACME-[0-9]{6}'
ignore_case = true
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground.errors import PolicyError
from playground.moderation.categories import CATEGORIES
from playground.moderation.lexicon import Lexicon, group_entries
from playground.moderation.patterns import Pattern, compile_pattern

_FILE_KEYS = ("group", "pattern")
_PATTERN_KEYS = ("name", "category", "score", "pattern", "ignore_case")
_MOST_PATTERNS = 200


@dataclass(frozen=True, slots=True)
class Rules:
    """What a rules file holds; `version` is a hash of the file."""

    lexicons: tuple[Lexicon, ...] = ()
    patterns: tuple[Pattern, ...] = ()
    version: str = "none"


def load_rules(path: Path) -> Rules:
    """Read and try a rules file. Raises PolicyError naming the file, the rule and the reason why it is refused."""
    try:
        content = path.read_bytes()
        table = tomllib.loads(content.decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise PolicyError(f"The rules file {path.name} cannot be read: {error}") from error
    for key, value in table.items():
        if key not in _FILE_KEYS or not isinstance(value, list):
            raise PolicyError(f"{path.name}: unknown key {key}; there are: [[group]], [[pattern]].")
    patterns = table.get("pattern", [])
    if len(patterns) > _MOST_PATTERNS:
        raise PolicyError(f"{path.name}: {len(patterns)} patterns; there may be {_MOST_PATTERNS}.")
    return Rules(
        lexicons=_lexicons(table.get("group", []), path.name),
        patterns=tuple(_pattern(item, path.name, number) for number, item in enumerate(patterns, 1)),
        version=hashlib.sha256(content).hexdigest()[:8],
    )


def _lexicons(groups: list[Any], file: str) -> tuple[Lexicon, ...]:
    by_language: dict[str, list[Any]] = {}
    for number, group in enumerate(groups, 1):
        where = f"{file}, [[group]] {number}"
        if not isinstance(group, Mapping):
            raise PolicyError(f"{where}: it must be a table.")
        language = group.get("language", "en")
        if not isinstance(language, str) or not language:
            raise PolicyError(f"{where}: language must be a short text such as en or vi.")
        _known_category(group.get("category"), where)
        rest = {key: value for key, value in group.items() if key != "language"}
        by_language.setdefault(language, []).extend(group_entries(rest, file))
    return tuple(Lexicon(language, language == "en", entries) for language, entries in by_language.items() if entries)


def _pattern(item: object, file: str, number: int) -> Pattern:
    if not isinstance(item, Mapping):
        raise PolicyError(f"{file}, [[pattern]] {number}: it must be a table.")
    name = item.get("name", str(number))
    where = f"{file}, [[pattern]] {name}"
    for key in item:
        if key not in _PATTERN_KEYS:
            raise PolicyError(f"{where}: unknown key {key}; there are: {', '.join(_PATTERN_KEYS)}.")
    score, written, ignore_case = item.get("score"), item.get("pattern"), item.get("ignore_case", False)
    if not isinstance(name, str) or not isinstance(ignore_case, bool):
        raise PolicyError(f"{where}: name must be text and ignore_case true or false.")
    if not isinstance(score, int | float) or isinstance(score, bool) or not 0 < score <= 1:
        raise PolicyError(f"{where}: score is {score!r}; it must be a number above 0, up to 1.")
    if not isinstance(written, str) or not written:
        raise PolicyError(f"{where}: pattern is missing; it must be a regular expression.")
    category = _known_category(item.get("category"), where)
    try:
        return compile_pattern(name, category, float(score), written, ignore_case=ignore_case)
    except PolicyError as error:
        raise PolicyError(f"{where} is refused: {error}") from error


def _known_category(category: object, where: str) -> str:
    if not isinstance(category, str) or category not in CATEGORIES:
        raise PolicyError(f"{where}: category is {category!r}; there are: {', '.join(CATEGORIES)}.")
    return category
