"""The models one can choose from, by id."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path

from playground.catalog.rows import read_rows
from playground.catalog.spec import ModelSpec
from playground.errors import UnknownModel
from playground.text import fold

_HERE = Path(__file__).parent
SHIPPED = (
    _HERE / "models.toml",
    *(_HERE / "models" / f"{name}.toml" for name in ("small", "medium", "vietnamese", "first", "guards")),
)
_NAMED = 8


class Catalog:
    """All known models, in the order of the files they come from; it can grow. Safe to use from many threads."""

    def __init__(self, specs: Iterable[ModelSpec]) -> None:
        self._specs: dict[str, ModelSpec] = {}
        self._words: dict[str, str] = {}
        self._lock = threading.Lock()
        for spec in specs:
            self.put(spec)

    @classmethod
    def load(cls, files: Iterable[Path] = SHIPPED) -> Catalog:
        """Read catalogue files, one after the other; a later row changes the keys it names of an earlier one.

        Raises ConfigError naming file, row and key for anything unknown, missing or of the wrong form.
        """
        return cls(read_rows(files))

    def __iter__(self) -> Iterator[ModelSpec]:
        return iter(self._specs.values())

    def __len__(self) -> int:
        return len(self._specs)

    def __contains__(self, model_id: object) -> bool:
        return model_id in self._specs

    def get(self, model_id: str) -> ModelSpec:
        """The model with this id.

        Raises UnknownModel, naming near ids, or the first ones when none is near.
        """
        spec = self._specs.get(model_id)
        if spec is None:
            near = get_close_matches(model_id, self._specs, 3) or [
                spec.id for spec in self.search(model_id) if model_id.strip()
            ]
            hint = f"Did you mean {', '.join(near[:3])}?" if near else f"There are: {self._some()}."
            raise UnknownModel(f"There is no model {_quoted(model_id)}. {hint}")
        return spec

    def put(self, spec: ModelSpec) -> None:
        """Add a model, or put another in the place of the one with its id. Readers see either all of it or nothing."""
        with self._lock:
            self._words = self._words | {spec.id: _words(spec)}
            self._specs = self._specs | {spec.id: spec}

    def drop(self, model_id: str) -> None:
        """Take a model out; an unknown id is ignored."""
        with self._lock:
            self._specs = {name: spec for name, spec in self._specs.items() if name != model_id}

    def _some(self) -> str:
        more = len(self) - _NAMED
        return ", ".join([*self._specs][:_NAMED]) + (f", and {more} more" if more > 0 else "")

    def search(self, query: str) -> list[ModelSpec]:
        """Models whose name, id, family, tags, languages or description contain every word of `query`.

        Case, accents and hyphens do not matter. An empty query finds all.
        """
        wanted = _key(query).split()
        return [spec for spec in self if all(word in self._words[spec.id] for word in wanted)]


def _quoted(model_id: str) -> str:
    return repr(model_id if len(model_id) <= 80 else model_id[:80] + "…")


def _key(text: str) -> str:
    return fold(text).replace("-", " ").replace("_", " ")


def _words(spec: ModelSpec) -> str:
    parts = (spec.name, spec.id, spec.family, spec.precision, spec.engine, *spec.tags, *spec.tasks, *spec.languages)
    return _key("\n".join((*parts, *spec.description.values())))
