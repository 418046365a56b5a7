"""What lies in a model repository: which of its files make a model that can be loaded here, and which never will.

Only lists of files are looked at. Weights in formats that run code when they are opened (pickles), code, archives and
whatever else is there are never asked for; a repository with nothing else is refused with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from playground.catalog.spec import ModelSource, SourceFormat
from playground.errors import RefusedRepository, UnknownRepository

MAX_FILES = 20_000
MAX_TEXT_BYTES = 128 * 2**20
"""Larger configurations, tokenizers and templates are not real."""
_TEXTS = re.compile(
    r"(config|generation_config|genai_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab"
    r"|chat_template|preprocessor_config|processor_config|model\.safetensors\.index|tekken|adapter_config)\.json"
    r"|merges\.txt|vocab\.txt|(tokenizer|spiece|sentencepiece\.bpe)\.model|[\w.-]+\.jinja"
    r"|README\.md|(LICEN[CS]E|NOTICE|USE_POLICY|COPYING)([.-][\w.-]+)?"
)
_WEIGHTS = re.compile(r"(?!consolidated|adapter_|optimizer|training_)[\w.-]+\.safetensors")
_GRAPH = re.compile(r"onnx/(?:decoder_model_merged|model)(?:_(\w+))?\.onnx")
_GRAPH_FILES = (".onnx", ".onnx.data", ".onnx_data", ".data")
_SHARD = re.compile(r"_\d+$")
_CODE_WEIGHTS = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".msgpack", ".h5", ".joblib", ".npz", ".dill")
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".xz", ".bz2", ".zst")
_SEGMENT = re.compile(r"[^\x00-\x1f\x7f\\/:*?\"<>|]{1,200}")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_NAMES = {"": "fp32", "quantized": "q8"}
_GRAPH_ORDER = ("q4", "int8", "q8", "q4f16", "fp16", "fp32")


@dataclass(frozen=True, slots=True)
class RepoFile:
    """One file: its path with `/`, its size in bytes, and the hash that the Hub promises (SHA-256 for large files)."""

    path: str
    size: int
    sha256: str = ""
    git_sha1: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """One way in which a repository can be used: what `ModelSource.format` and `variant` name, and the files of it."""

    format: SourceFormat
    variant: str
    files: tuple[RepoFile, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes to download."""
        return sum(file.size for file in self.files)


def find_offers(repo: str, files: Sequence[RepoFile]) -> tuple[Offer, ...]:
    """Everything in the repository that can be used, the best first.

    Raises RefusedRepository, saying why, when that is nothing, or when a path tries to lead out of the folder.
    """
    if len(files) > MAX_FILES:
        raise RefusedRepository(f"{repo} has more than {MAX_FILES} files, which is no model. Choose another one.")
    for file in files:
        check_path(repo, file.path)
    offers = [offer for find in _FINDERS for offer in find(files)]
    if not offers:
        raise RefusedRepository(_why_nothing(repo, files))
    for offer in offers:
        _check_files(repo, offer)
    return tuple(offers)


def choose_offer(repo: str, offers: Sequence[Offer], source: ModelSource) -> Offer:
    """The offer that a catalogue row means; without a variant the first of its format.

    Raises UnknownRepository, listing what there is.
    """
    for offer in offers:
        if offer.format == source.format and source.variant in {"", offer.variant}:
            return offer
    there = ", ".join(f"{offer.format} {offer.variant}".strip() for offer in offers)
    wanted = f"{source.format} {source.variant}".strip()
    raise UnknownRepository(f"{repo} has no {wanted}; it has: {there}.")


def check_path(repo: str, path: str) -> None:
    """Raises RefusedRepository unless `path` is a plain relative path that stays inside its folder, on any system."""
    parts = path.split("/")
    plain = all(_SEGMENT.fullmatch(part) and part.strip(" .") and part[-1] not in " ." for part in parts)
    if not plain or any(_RESERVED.fullmatch(part) for part in parts) or len(path) > 400:
        raise RefusedRepository(
            f"{repo} has a file whose name could lead out of its folder. Nothing of it was kept; do not use it."
        )


def _transformers(files: Sequence[RepoFile]) -> Iterable[Offer]:
    top = [file for file in files if "/" not in file.path]
    weights = [file for file in top if _WEIGHTS.fullmatch(file.path)]
    whole = [file for file in weights if file.path == "model.safetensors"]
    if weights and any(file.path == "config.json" for file in top):
        yield Offer("transformers", "", (*_texts(top), *(whole or weights)))


def _genai(files: Sequence[RepoFile]) -> Iterable[Offer]:
    folders = [path.rpartition("/")[0] for path in (file.path for file in files) if _named(path, "genai_config.json")]
    for folder in sorted(folders, key=lambda name: ("cpu" not in name, "int4" not in name, name)):
        inside = [file for file in files if file.path.rpartition("/")[0] == folder]
        graphs = [file for file in inside if file.path.endswith(_GRAPH_FILES)]
        if graphs:
            yield Offer("genai", folder, (*_texts(inside), *graphs))


def _onnx(files: Sequence[RepoFile]) -> Iterable[Offer]:
    texts = _texts(file for file in files if "/" not in file.path)
    found: dict[str, str] = {}
    for file in files:
        graph = _GRAPH.fullmatch(file.path)
        if graph:
            found.setdefault(_NAMES.get(graph.group(1) or "", graph.group(1) or ""), file.path)
    order = {name: place for place, name in enumerate(_GRAPH_ORDER)}
    for variant in sorted(found, key=lambda name: (order.get(name, len(order)), name)):
        path = found[variant]
        data = [file for file in files if file.path == path or _SHARD.sub("", file.path) in _beside(path)]
        yield Offer("onnx", variant, (*texts, *data))


def _adapter(files: Sequence[RepoFile]) -> Iterable[Offer]:
    names = {file.path for file in files}
    if {"adapter_config.json", "adapter_model.safetensors"} <= names:
        top = [file for file in files if "/" not in file.path]
        weights = [file for file in top if file.path == "adapter_model.safetensors"]
        yield Offer("adapter", "", (*_texts(top), *weights))


_FINDERS: tuple[Callable[[Sequence[RepoFile]], Iterable[Offer]], ...] = (_genai, _transformers, _onnx, _adapter)


def _beside(graph: str) -> set[str]:
    return {graph + "_data", graph + ".data"}


def _texts(files: Iterable[RepoFile]) -> list[RepoFile]:
    return [file for file in files if _TEXTS.fullmatch(PurePosixPath(file.path).name)]


def _named(path: str, name: str) -> bool:
    return path == name or path.endswith(f"/{name}")


def _check_files(repo: str, offer: Offer) -> None:
    seen: set[str] = set()
    for file in offer.files:
        name = PurePosixPath(file.path).name
        if _TEXTS.fullmatch(name) and file.size > MAX_TEXT_BYTES:
            raise RefusedRepository(f"{repo}: {name} is too large to be real ({file.size >> 20} MiB). Do not use it.")
        if file.path.casefold() in seen:
            raise RefusedRepository(f"{repo} has {name} twice, in upper and lower case. Choose another model.")
        seen.add(file.path.casefold())


def _why_nothing(repo: str, files: Sequence[RepoFile]) -> str:
    def first(endings: tuple[str, ...]) -> str:
        return next((file.path for file in files if file.path.lower().endswith(endings)), "")

    if name := first(_CODE_WEIGHTS):
        return (
            f"{repo} has its weights in {name}, a format that can run code when it is opened, so it is not loaded. "
            "Ask its publisher for safetensors, or choose another model."
        )
    if name := first((".gguf", ".ggml")):
        return (
            f"{repo} has its weights as GGUF ({name}), which is not read here. Look for the same model in safetensors."
        )
    if name := first(_ARCHIVES):
        return f"{repo} has its files packed in {name}; archives are not opened here. Choose another model."
    return (
        f"{repo} has no model that is understood here: a transformers checkpoint in safetensors, an ONNX Runtime GenAI "
        "folder, ONNX graphs in onnx/, or a LoRA adapter. Choose another model."
    )
