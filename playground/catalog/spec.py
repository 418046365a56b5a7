"""One model of the catalogue: a row of `models.toml`, parsed and validated."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from playground.domain import Language, SamplingParams


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """What is known of a model before it is loaded.

    `id` is unique and stable (letters, digits, `-`, `_`, `.`, `/`). `engine` is a key of the engine registry. `path` is
    the folder the engine loads (None for engines without files). `parameters` and `size_bytes` are counts, 0 when
    unknown. `defaults` are the sampling parameters the model works best with; `history_turns` limits how many earlier
    turns are sent to it (None: as many as fit the context window). `description` and `suggestions` are per language.
    `reasoning_tags` are the (opening, closing) texts around a model's thinking. `engine_options` are further options of
    the engine, by name; which ones there are is said at each engine.
    """

    id: str
    name: str
    family: str
    engine: str
    context_length: int
    description: dict[Language, str]
    licence: str
    languages: tuple[str, ...]
    path: Path | None = None
    parameters: int = 0
    size_bytes: int = 0
    precision: str = ""
    tags: tuple[str, ...] = ()
    defaults: SamplingParams = field(default_factory=SamplingParams)
    history_turns: int | None = None
    reasoning_tags: tuple[str, str] | None = None
    suggestions: dict[Language, tuple[str, ...]] = field(default_factory=dict)
    link: str = ""
    engine_options: dict[str, str | int | float | bool] = field(default_factory=dict)
