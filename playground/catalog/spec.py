"""One model of the catalogue: a row of `models.toml`, parsed and validated."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from playground.catalog.servers import ModelServer
from playground.domain import Language, SamplingParams

SourceFormat = Literal["transformers", "genai", "onnx", "adapter"]
AUTO = "auto"
GUARD = "guard"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSource:
    """Where a model's files come from.

    `repo` is a Hub id (`owner/name`) or, for a folder of this machine, empty (`ModelSpec.path` then names it).
    `revision` is a commit hash (pinned) or a branch. `format` says what lies there: a `transformers` checkpoint in
    safetensors, a folder of the ONNX Runtime GenAI model builder, an `onnx-community` style repository (graphs in
    `onnx/`), or a LoRA adapter for the model `base` (a catalogue id or a Hub id). `variant` chooses among several:
    the sub-folder of a GenAI repository, the quantisation of an ONNX one (`q4`, `q4f16`, `int8`, `fp16`).
    """

    repo: str = ""
    revision: str = "main"
    format: SourceFormat = "transformers"
    variant: str = ""
    base: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """What is known of a model before it is loaded.

    `id` is unique and stable (letters, digits, `-`, `_`, `.`, `/`). `engine` is a key of the engine registry, or
    `auto`: chosen from `engines` (those that run it, the best first) for this machine when the model is made ready.
    `path` is the folder the engine loads (None for engines without files, and for a model that is not here yet).
    `source` is where its files come from (None: it ships with the project or lives on a server). `gated` models ask
    for an agreement on the Hub first. `unavailable` says, per language, why a model that people ask for cannot be run
    here (empty: it can). `tasks` are what it is made for (`chat`, `code`, `maths`, `medicine`, ...).

    `parameters` and `size_bytes` are counts, 0 when unknown. `defaults` are the sampling parameters the model works
    best with; `history_turns` limits how many earlier turns are sent to it (None: as many as fit the context window).
    `description` and `suggestions` are per language. `reasoning_tags` are the (opening, closing) texts around a
    model's thinking. `engine_options` are further options of the engine, by name; which ones there are is said at
    each engine. `servers` are where a remote model runs: several are replicas of one another.
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
    engines: tuple[str, ...] = ()
    source: ModelSource | None = None
    gated: bool = False
    tasks: tuple[str, ...] = ()
    unavailable: dict[Language, str] = field(default_factory=dict)
    servers: tuple[ModelServer, ...] = ()

    @property
    def offered(self) -> bool:
        """Whether people may choose it to chat with: guard models judge texts, and some models cannot be run here."""
        return GUARD not in self.tags and not self.unavailable

    @property
    def hosts(self) -> tuple[str, ...]:
        """The other machines that what people write to this model is sent to; empty: it stays on this one."""
        return tuple(dict.fromkeys(server.host for server in self.servers if not server.here))
