"""From what somebody pasted to a row of the catalogue, kept for the next start."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

from playground.catalog.catalog import Catalog
from playground.catalog.hub import MAX_CONFIG_BYTES, Hub, Inspection
from playground.catalog.own_rows import OwnRows
from playground.catalog.references import Reference, parse_reference
from playground.catalog.repository import Offer, RepoFile, find_offers
from playground.catalog.spec import AUTO, ModelSource, ModelSpec
from playground.catalog.strict_json import parse_object
from playground.catalog.templates import thinking_tags
from playground.errors import InvalidRequest, RefusedRepository

_CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx", "context_length")
_USUAL_CONTEXT = 2048


def refuse_code(inspection: Inspection, native_types: Callable[[], Collection[str]] | None) -> None:
    """Raises RefusedRepository for a model whose architecture is known only to Python code in its repository."""
    if inspection.needs_code and native_types is not None and inspection.model_type not in native_types():
        raise RefusedRepository(
            f"{inspection.repo} runs only with Python code of its own, which is never run here. Choose another model."
        )


class Additions:
    """Models that people added. `native_types` are the architectures that need no code of their own."""

    def __init__(
        self, catalog: Catalog, hub: Hub, rows: OwnRows, native_types: Callable[[], Collection[str]] | None
    ) -> None:
        self._catalog = catalog
        self._hub = hub
        self._rows = rows
        self._native_types = native_types

    def add(self, text: str, *, variant: str = "", folders: bool = True) -> ModelSpec:
        """The row for what was pasted; it is in the catalogue and in the file. See `Library.add`."""
        reference = parse_reference(text, self._hub.client.endpoint)
        if reference.folder is not None:
            if not folders:
                raise InvalidRequest("Folders can be added by whoever runs this playground. Paste an id of the Hub.")
            return self._kept(_folder_row(reference.folder, variant))
        known = self._known(reference, variant)
        if known is not None:
            return known
        inspection = self._hub.inspect(reference.repo, reference.revision)
        offer = _chosen(inspection.repo, inspection.offers, variant)
        refuse_code(inspection, self._native_types)
        tags = thinking_tags(partial(self._hub.small_file, inspection))
        return self._kept(replace(_hub_row(inspection, offer, chosen=bool(variant)), reasoning_tags=tags))

    def forget(self, model_id: str) -> None:
        """Take a row out again, if it was added here."""
        if self._rows.drop(model_id):
            self._catalog.drop(model_id)

    def _known(self, reference: Reference, variant: str) -> ModelSpec | None:
        for spec in self._catalog:
            source = spec.source
            if source is None or source.repo != reference.repo:
                continue
            if variant in {"", source.variant} and reference.revision in {"main", source.revision}:
                return spec
        return None

    def _kept(self, spec: ModelSpec) -> ModelSpec:
        spec = self._rows.put(spec)
        self._catalog.put(spec)
        return spec


def _chosen(name: str, offers: tuple[Offer, ...], variant: str) -> Offer:
    for offer in offers:
        if variant in {"", offer.variant}:
            return offer
    there = ", ".join(offer.variant for offer in offers if offer.variant) or "none"
    raise InvalidRequest(f"{name} has no variant {variant!r:.60}; there are: {there}.")


def _hub_row(inspection: Inspection, offer: Offer, *, chosen: bool) -> ModelSpec:
    name = inspection.repo.partition("/")[2]
    source = ModelSource(
        repo=inspection.repo,
        revision=inspection.commit,
        format=offer.format,
        variant=offer.variant,
        base=inspection.base,
    )
    return ModelSpec(
        id=f"{inspection.repo}/{offer.variant}" if chosen and offer.variant else inspection.repo,
        name=f"{name} ({offer.variant})" if chosen and offer.variant else name,
        family=inspection.model_type or inspection.repo.partition("/")[0],
        engine=AUTO,
        context_length=_context_length(inspection.config),
        description={
            "en": f"Added from the Hub: {inspection.repo}.",
            "vi": f"Được thêm từ Hub: {inspection.repo}.",
        },
        licence=inspection.licence,
        languages=inspection.languages,
        parameters=inspection.parameters,
        size_bytes=offer.size_bytes,
        tags=("added",),
        link=inspection.link,
        source=source,
        gated=inspection.gated,
        tasks=("chat",),
    )


def _folder_row(folder: Path, variant: str) -> ModelSpec:
    """Only names, sizes and the configuration are read, and links out of the folder are not followed."""
    files = [
        RepoFile(path.relative_to(folder).as_posix(), path.stat().st_size)
        for path in (*folder.glob("*"), *folder.glob("onnx/*"))
        if path.is_file() and path.resolve().is_relative_to(folder)
    ]
    offer = _chosen("This folder", find_offers("This folder", files), variant)
    config = _folder_config(folder)
    slug = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in folder.name).strip("-")
    return ModelSpec(
        id=f"local/{slug or 'model'}-{blake2b(str(folder).encode(), digest_size=3).hexdigest()}",
        name=folder.name or "model",
        family=str(config.get("model_type") or "local"),
        engine=AUTO,
        context_length=_context_length(config),
        description={"en": "A folder of this machine.", "vi": "Một thư mục trên máy này."},
        licence="unknown",
        languages=(),
        path=folder,
        size_bytes=offer.size_bytes,
        tags=("added",),
        source=ModelSource(revision="", format=offer.format, variant=offer.variant),
        tasks=("chat",),
        reasoning_tags=thinking_tags(partial(_small_file, folder)),
    )


def _folder_config(folder: Path) -> dict[str, Any]:
    for name in ("genai_config.json", "config.json"):
        raw = _small_file(folder, name)
        if raw is not None:
            try:
                return parse_object(raw)
            except ValueError as error:
                raise RefusedRepository(f"{name} of this folder is damaged. Download the model again.") from error
    return {}


def _small_file(folder: Path, name: str) -> bytes | None:
    path = folder / name
    if not path.is_file() or not path.resolve().is_relative_to(folder) or path.stat().st_size > MAX_CONFIG_BYTES:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise RefusedRepository(
            f"{name} of this folder cannot be read ({error.strerror}). Check its rights."
        ) from error


def _context_length(config: dict[str, Any]) -> int:
    """Tokens, from whatever the configuration calls them, also in the part for text or for the graph."""
    parts = [config, *(config[key] for key in ("text_config", "model") if isinstance(config.get(key), dict))]
    found = [part[key] for part in parts for key in _CONTEXT_KEYS if isinstance(part.get(key), int)]
    return next((length for length in found if 16 <= length <= 2**24), _USUAL_CONTEXT)
