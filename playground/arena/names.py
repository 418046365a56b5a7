"""The names by which a model could be recognised: those of the catalogue, and of the field (`names.toml`)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from playground.catalog.spec import ModelSpec
from playground.text import fold

_FILE = Path(__file__).with_name("names.toml")
_PARTS = re.compile(r"[^\W\d_]+")
_SHORTEST = 3


@cache
def _listed(kind: str) -> frozenset[str]:
    return frozenset(tomllib.loads(_FILE.read_text(encoding="utf-8"))[kind])


def names_of(spec: ModelSpec) -> set[str]:
    """The words that tell a model: of its id, name, family, and of whoever made it; folded, without plain words."""
    owner, _, repository = spec.source.repo.partition("/") if spec.source is not None else ("", "", "")
    texts = (spec.id, spec.name, spec.family, owner, repository)
    parts = {fold(part) for text in texts for part in _PARTS.findall(text)}
    return {part for part in parts if len(part) >= _SHORTEST} - _listed("plain")


def field_names(specs: Iterable[ModelSpec]) -> frozenset[str]:
    """The names that are hidden in every blind battle: of the whole catalogue and of the field."""
    return (frozenset(name for spec in specs for name in names_of(spec)) | _listed("known")) - _listed("everyday")


def is_everyday(name: str) -> bool:
    """Whether a name is also a word of everyday language, or part of one."""
    return name in _listed("everyday")
