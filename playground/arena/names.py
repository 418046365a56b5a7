"""The names by which a model could be recognised: those of the catalogue, and of the field (`names.toml`)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from playground.catalog.spec import ModelSpec
from playground.text import fold

_FILE = Path(__file__).with_name("names.toml")
_PARTS = re.compile(r"[^\W\d_]+")
_SHORTEST = 3


@cache
def _lists() -> dict[str, Any]:
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))


@cache
def _listed(kind: str) -> frozenset[str]:
    return frozenset(_lists()[kind])


def names_of(spec: ModelSpec) -> set[str]:
    """The words that tell a model: of its id, name, family, and of whoever made it; folded, without plain words."""
    owner, _, repository = spec.source.repo.partition("/") if spec.source is not None else ("", "", "")
    texts = (spec.id, spec.name, spec.family, owner, repository)
    parts = {fold(part) for text in texts for part in _PARTS.findall(text)}
    return {part for part in parts if len(part) >= _SHORTEST} - _listed("plain")


def telling_names(spec: ModelSpec) -> set[str]:
    """`names_of`, with what else its maker is called."""
    own = names_of(spec)
    return own | {maker for name in own for maker in _lists()["makers"].get(name, ())}


def field_names(specs: Iterable[ModelSpec]) -> frozenset[str]:
    """The names that are hidden in every blind battle, whoever answers: of the whole catalogue and of the field."""
    return (frozenset(name for spec in specs for name in names_of(spec)) | _listed("known")) - _listed("companies")


def is_everyday(name: str) -> bool:
    """Whether a name is also a word of everyday language, or part of one."""
    return name in _listed("everyday")


def is_company(name: str) -> bool:
    """Whether a name is that of a maker whom people talk about anyway."""
    return name in _listed("companies")


def spoken(letter: str) -> tuple[str, ...]:
    """What a letter is called when a name is spelled out."""
    return tuple(_lists()["spoken"].get(letter, ()))
