"""A model folder as `python -m onnxruntime_genai.models.builder` makes it, read and checked before anything is loaded.

Folders come from strangers: only plain files inside the folder are read, names in the configuration cannot lead out of
it, and whatever is missing or damaged becomes one sentence.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground.errors import ModelLoadError

MAX_JSON_BYTES = 128 * 2**20
_ADVICE = "Download or convert the model again."


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """What the engine must know of a folder. `past_keys` and the like name graph inputs and outputs, by layer."""

    folder: Path
    graph: Path
    context_length: int
    kv_heads: int
    head_size: int
    eos_ids: tuple[int, ...]
    past_keys: tuple[str, ...]
    past_values: tuple[str, ...]
    present_keys: tuple[str, ...]
    present_values: tuple[str, ...]
    input_ids: str
    attention_mask: str
    logits: str


@dataclass(frozen=True, slots=True)
class TokenizerFiles:
    """The tokenizer's definition, its chat template, and the special tokens that templates may name."""

    definition: str
    template: str
    special_tokens: dict[str, str]


def read_model_files(folder: Path | None) -> ModelFiles:
    """Read `genai_config.json` and find the graph. Raises ModelLoadError."""
    folder = _existing(folder)
    config = _read_json(folder, "genai_config.json")
    try:
        return _model_files(folder, config["model"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelLoadError(
            f"genai_config.json of the model folder {folder.name} is incomplete or malformed ({error!s:.80}). {_ADVICE}"
        ) from error


def _model_files(folder: Path, model: dict[str, Any]) -> ModelFiles:
    decoder = model["decoder"]
    inputs, outputs = decoder["inputs"], decoder["outputs"]
    layers = _positive(decoder["num_hidden_layers"])
    eos = model["eos_token_id"]

    def named(group: dict[str, str], key: str) -> tuple[str, ...]:
        return tuple(str(group[key]).replace("%d", str(layer)) for layer in range(layers))

    return ModelFiles(
        folder=folder,
        graph=_inside(folder, decoder["filename"]),
        context_length=_positive(model["context_length"]),
        kv_heads=_positive(decoder["num_key_value_heads"]),
        head_size=_positive(decoder["head_size"]),
        eos_ids=tuple(int(item) for item in (eos if isinstance(eos, list) else [eos])),
        past_keys=named(inputs, "past_key_names"),
        past_values=named(inputs, "past_value_names"),
        present_keys=named(outputs, "present_key_names"),
        present_values=named(outputs, "present_value_names"),
        input_ids=str(inputs["input_ids"]),
        attention_mask=str(inputs["attention_mask"]),
        logits=str(outputs["logits"]),
    )


def _positive(value: object) -> int:
    if not isinstance(value, int) or not 1 <= value <= 2**24:
        raise ValueError(f"{value!r:.20} is not a possible size")
    return value


def read_tokenizer_files(folder: Path | None) -> TokenizerFiles:
    """Read `tokenizer.json` and the chat template. Raises ModelLoadError."""
    folder = _existing(folder)
    config = _read_json(folder, "tokenizer_config.json")
    special = {
        key: value["content"] if isinstance(value, dict) else value
        for key, value in config.items()
        if key.endswith("_token") and (isinstance(value, str) or (isinstance(value, dict) and "content" in value))
    }
    return TokenizerFiles(
        definition=_read_text(folder, "tokenizer.json"),
        template=_template(folder, config.get("chat_template")),
        special_tokens=special,
    )


def _template(folder: Path, configured: object) -> str:
    if (folder / "chat_template.jinja").exists():
        return _read_text(folder, "chat_template.jinja")
    if isinstance(configured, list):
        named = {item.get("name"): item.get("template") for item in configured if isinstance(item, dict)}
        configured = named.get("default")
    if not isinstance(configured, str):
        raise ModelLoadError(
            f"The model folder {folder.name} has no chat template, so it cannot be chatted with. "
            "Choose an instruction-tuned model."
        )
    return configured


def _existing(folder: Path | None) -> Path:
    if folder is None:
        raise ModelLoadError("The model has no folder in the catalogue. Add its path to the catalogue entry.")
    if not folder.is_dir():
        raise ModelLoadError(f"The model folder {folder.name} does not exist. {_ADVICE}")
    return folder.resolve()


def _inside(folder: Path, name: object) -> Path:
    path = (folder / str(name)).resolve()
    if path.parent != folder:
        raise ModelLoadError(
            f"A file of the model folder {folder.name} lies outside of it, which is not allowed. "
            "Use a folder that holds its files itself."
        )
    if not path.is_file():
        raise ModelLoadError(f"The model folder {folder.name} has no file {path.name}. {_ADVICE}")
    return path


def _read_json(folder: Path, name: str) -> dict[str, Any]:
    text = _read_text(folder, name)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ModelLoadError(f"{name} of the model folder {folder.name} is damaged. {_ADVICE}")
    return value


def _read_text(folder: Path, name: str) -> str:
    path = _inside(folder, name)
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise ModelLoadError(f"{name} of the model folder {folder.name} is too large to be real. {_ADVICE}")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelLoadError(f"{name} of the model folder {folder.name} cannot be read. {_ADVICE}") from error
