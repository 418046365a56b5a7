"""The models to choose from as plain data. No Gradio here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from playground.catalog.spec import AUTO, ModelSpec
from playground.engines.contract import ServerHealth
from playground.ui.words import Words

State = Literal["loaded", "loading", "ready"]
Servers = tuple[ServerHealth, ...]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One card. `facts` are (what it is, short text); `tags` are those the page has words for.

    `location` is where what people write goes: empty for this machine, else the names of other machines.
    """

    id: str
    name: str
    family: str
    description: str
    state: State
    facts: tuple[tuple[str, str], ...]
    tags: tuple[tuple[str, str], ...]
    location: str = ""


def choosable(specs: Iterable[ModelSpec]) -> list[ModelSpec]:
    """The models a person can chat with here and now: made for it, and their files are on this machine."""
    return [spec for spec in specs if spec.offered and spec.engine != AUTO]


def model_cards(
    specs: Iterable[ModelSpec], states: Mapping[str, State], words: Words, servers: Mapping[str, Servers] | None = None
) -> tuple[ModelCard, ...]:
    """All cards, in the order of the catalogue.

    `states` names the models that are loaded or being loaded, `servers` how the servers of remote ones do.
    """
    health = servers or {}
    return tuple(_card(spec, states.get(spec.id, "ready"), health.get(spec.id, ()), words) for spec in specs)


def _card(spec: ModelSpec, state: State, servers: Servers, words: Words) -> ModelCard:
    description = spec.description.get(words.language) or spec.description.get("en", "")
    tags = tuple((tag, words.find(f"tag.{tag}") or tag) for tag in spec.tags)
    location = ", ".join(spec.hosts)
    facts = (*_facts(spec, words), *_servers(servers, words))
    return ModelCard(spec.id, spec.name, spec.family, description, state, facts, tags, location)


def _facts(spec: ModelSpec, words: Words) -> tuple[tuple[str, str], ...]:
    facts: list[tuple[str, str]] = []
    if spec.servers:
        facts.append((words("model.location"), ", ".join(spec.hosts) or words("model.location_here")))
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


def _servers(servers: Servers, words: Words) -> list[tuple[str, str]]:
    """How many answer; each of them in the fact's hint."""
    if not servers:
        return []
    up = words.number(sum(server.up for server in servers))
    hint = "\n".join(_server_line(server, words) for server in servers)
    return [(hint, words("model.servers_value", up=up, count=words.number(len(servers))))]


def _server_line(server: ServerHealth, words: Words) -> str:
    if not server.up:
        since = f"{server.since:%Y-%m-%d %H:%M:%S} UTC"
        return words("model.server_down", server=server.label, since=since, error=server.error)
    if server.first_token is None:
        return words("model.server_new", server=server.label)
    first, busy = words.number(server.first_token, 2), words.number(server.in_flight)
    return words("model.server_up", server=server.label, busy=busy, first=first)


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
