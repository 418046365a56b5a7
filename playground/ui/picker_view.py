"""The models to choose from as plain data. No Gradio here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from playground.catalog.spec import AUTO, ModelSpec
from playground.ui.words import Words

State = Literal["loaded", "loading", "ready"]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One card. `facts` are (what it is, short text); `tags` are those the page has words for."""

    id: str
    name: str
    family: str
    description: str
    state: State
    facts: tuple[tuple[str, str], ...]
    tags: tuple[tuple[str, str], ...]


def choosable(specs: Iterable[ModelSpec]) -> list[ModelSpec]:
    """The models a person can chat with here and now: made for it, and their files are on this machine."""
    return [spec for spec in specs if spec.offered and spec.engine != AUTO]


def model_cards(specs: Iterable[ModelSpec], states: Mapping[str, State], words: Words) -> tuple[ModelCard, ...]:
    """All cards, in the order of the catalogue. `states` names the models that are loaded or being loaded."""
    return tuple(_card(spec, states.get(spec.id, "ready"), words) for spec in specs)


def _card(spec: ModelSpec, state: State, words: Words) -> ModelCard:
    description = spec.description.get(words.language) or spec.description.get("en", "")
    tags = tuple((tag, words.find(f"tag.{tag}") or tag) for tag in spec.tags)
    return ModelCard(spec.id, spec.name, spec.family, description, state, _facts(spec, words), tags)


def _facts(spec: ModelSpec, words: Words) -> tuple[tuple[str, str], ...]:
    facts: list[tuple[str, str]] = []
    if spec.parameters:
        count = words("model.parameters_value", value=short_count(spec.parameters, words))
        facts.append((words("model.parameters"), count))
    if spec.size_bytes:
        facts.append((words("model.size"), short_size(spec.size_bytes, words)))
    if spec.context_length:
        length = words("model.context_value", value=words.number(spec.context_length))
        facts.append((words("model.context"), length))
    languages = ", ".join(words.find(f"model.{code}") or code for code in spec.languages)
    facts.append((words("model.languages"), languages))
    if spec.precision:
        facts.append((words("model.precision"), spec.precision))
    facts.append((words("model.licence"), spec.licence))
    return tuple(facts)


def short_count(count: int, words: Words) -> str:
    """5,500,000 as 5.5M."""
    for size, letter in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if count >= size:
            return words.number(count / size, 0 if count >= 100 * size else 1) + letter
    return words.number(count)


def short_size(size_bytes: int, words: Words) -> str:
    """A size in decimal units, as disks are sold."""
    for size, unit in ((10**9, "GB"), (10**6, "MB")):
        if size_bytes >= size:
            return f"{words.number(size_bytes / size, 1)} {unit}"
    return f"{words.number(size_bytes / 1000)} kB"
