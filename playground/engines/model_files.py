"""Model folders, read and checked before anything is loaded.

Two kinds are known: what `python -m onnxruntime_genai.models.builder` writes (`genai_config.json` names everything),
and repositories in the manner of `onnx-community` (`config.json`, and graphs in `onnx/`, one per quantisation).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground.catalog.templates import configured_template
from playground.engines.folder_reader import ADVICE, inside, open_folder, read_json, read_text
from playground.engines.plain_templates import PLAIN_TEMPLATES
from playground.errors import ModelLoadError

# Sub-folder, and names of a repository's graphs by quantisation: what runs best on a CPU comes first.
GRAPHS_FOLDER = "onnx"
VARIANTS = {
    "q4": "model_q4.onnx",
    "int8": "model_int8.onnx",
    "quantized": "model_quantized.onnx",
    "uint8": "model_uint8.onnx",
    "fp32": "model.onnx",
    "merged": "decoder_model_merged.onnx",
    "merged_quantized": "decoder_model_merged_quantized.onnx",
    "q4f16": "model_q4f16.onnx",
    "fp16": "model_fp16.onnx",
    "bnb4": "model_bnb4.onnx",
}
_LENGTHS = ("max_position_embeddings", "n_positions", "max_seq_len", "n_ctx", "max_sequence_length")


@dataclass(frozen=True, slots=True)
class GraphNames:
    """What a graph's inputs and outputs are called; %d stands for the layer. The defaults are those of exporters."""

    input_ids: str = "input_ids"
    attention_mask: str = "attention_mask"
    position_ids: str = "position_ids"
    logits: str = "logits"
    past_key: str = "past_key_values.%d.key"
    past_value: str = "past_key_values.%d.value"
    present_key: str = "present.%d.key"
    present_value: str = "present.%d.value"
    past_conv: str = "past.%d.conv"
    present_conv: str = "present.%d.conv"
    past_recurrent: str = "past.%d.recurrent"
    present_recurrent: str = "present.%d.recurrent"


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """What the engine must know of a folder.

    `layers`, `kv_heads` and `head_size` are what the folder says of every layer; 0 means that the graph tells.
    """

    folder: Path
    graph: Path
    context_length: int
    eos_ids: tuple[int, ...]
    names: GraphNames = GraphNames()
    layers: int = 0
    kv_heads: int = 0
    head_size: int = 0


@dataclass(frozen=True, slots=True)
class TokenizerFiles:
    """The tokenizer's definition, its chat template, and the special tokens that templates may name."""

    definition: str
    template: str
    special_tokens: dict[str, str]


def read_model_files(folder: Path | None, variant: str = "") -> ModelFiles:
    """Find the graph and what is said of it. `variant` chooses among a repository's quantisations (see `VARIANTS`).

    Raises ModelLoadError.
    """
    folder = open_folder(folder)
    name, read = ("genai_config.json", _read_genai)
    if not (folder / name).exists() and (folder / "config.json").exists():
        name, read = ("config.json", _read_repository)
    config = read_json(folder, name)
    try:
        return read(folder, config, variant)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelLoadError(
            f"{name} of the model folder {folder.name} is incomplete or malformed ({error!s:.80}). {ADVICE}"
        ) from error


def _read_genai(folder: Path, config: dict[str, Any], variant: str) -> ModelFiles:
    del variant
    model = config["model"]
    decoder = model["decoder"]
    inputs, outputs = decoder["inputs"], decoder["outputs"]
    optional = {
        "position_ids": inputs.get("position_ids"),
        "past_conv": inputs.get("past_conv_names"),
        "past_recurrent": inputs.get("past_recurrent_names"),
        "present_conv": outputs.get("present_conv_names"),
        "present_recurrent": outputs.get("present_recurrent_names"),
    }
    return ModelFiles(
        folder=folder,
        graph=inside(folder, decoder["filename"]),
        context_length=_positive(model["context_length"]),
        eos_ids=_token_ids(model["eos_token_id"]),
        names=GraphNames(
            input_ids=str(inputs["input_ids"]),
            attention_mask=str(inputs["attention_mask"]),
            logits=str(outputs["logits"]),
            past_key=str(inputs["past_key_names"]),
            past_value=str(inputs["past_value_names"]),
            present_key=str(outputs["present_key_names"]),
            present_value=str(outputs["present_value_names"]),
            **{key: str(value) for key, value in optional.items() if value is not None},
        ),
        layers=_positive(decoder["num_hidden_layers"]),
        kv_heads=_positive(decoder["num_key_value_heads"]),
        head_size=_positive(decoder["head_size"]),
    )


def _read_repository(folder: Path, config: dict[str, Any], variant: str) -> ModelFiles:
    text = config.get("text_config", config)
    eos = text.get("eos_token_id", config.get("eos_token_id"))
    if (folder / "generation_config.json").exists():
        eos = read_json(folder, "generation_config.json").get("eos_token_id") or eos
    lengths = [text[key] for key in _LENGTHS if text.get(key) is not None]
    return ModelFiles(
        folder=folder,
        graph=_choose_graph(folder, variant),
        context_length=_positive(lengths[0]) if lengths else 2048,
        eos_ids=() if eos is None else _token_ids(eos),
    )


def _choose_graph(folder: Path, variant: str) -> Path:
    below = GRAPHS_FOLDER if (folder / GRAPHS_FOLDER).is_dir() else ""
    present = [name for name, graph in VARIANTS.items() if (folder / below / graph).is_file()]
    chosen = variant or next(iter(present), "")
    if chosen not in present:
        there = f"there are: {', '.join(present)}" if present else "it has no graph at all"
        raise ModelLoadError(
            f"The model folder {folder.name} has no graph {variant or 'to run'}; {there}. Choose one of those, "
            "or convert the model's safetensors checkpoint."
        )
    return inside(folder, VARIANTS[chosen], below)


def _token_ids(value: Any) -> tuple[int, ...]:
    items = value if isinstance(value, list) else [value]
    return tuple(int(item) for item in items)


def _positive(value: object) -> int:
    if not isinstance(value, int) or not 1 <= value <= 2**24:
        raise ValueError(f"{value!r:.20} is not a possible size")
    return value


def read_tokenizer_files(folder: Path | None, template: str = "") -> TokenizerFiles:
    """Read `tokenizer.json` and the chat template.

    `template` names a plain one (see `plain_templates`) for a model that has none of its own. Raises ModelLoadError.
    """
    folder = open_folder(folder)
    config = read_json(folder, "tokenizer_config.json")
    special = {
        key: value["content"] if isinstance(value, dict) else value
        for key, value in config.items()
        if key.endswith("_token") and (isinstance(value, str) or (isinstance(value, dict) and "content" in value))
    }
    return TokenizerFiles(
        definition=read_text(folder, "tokenizer.json"),
        template=_template(folder, config.get("chat_template"), template),
        special_tokens=special,
    )


def _template(folder: Path, configured: object, plain: str) -> str:
    if plain:
        if plain not in PLAIN_TEMPLATES:
            raise ModelLoadError(
                f"There is no chat template named {plain}; there are: {', '.join(PLAIN_TEMPLATES)}. "
                "Correct the catalogue entry."
            )
        return PLAIN_TEMPLATES[plain]
    if (folder / "chat_template.jinja").exists():
        return read_text(folder, "chat_template.jinja")
    found = configured_template(configured)
    if found is None:
        raise ModelLoadError(
            f"The model folder {folder.name} has no chat template, so it cannot be chatted with. Choose an instruction-"
            f"tuned model, or name a plain one as engine_options.template: {', '.join(PLAIN_TEMPLATES)}."
        )
    return found
