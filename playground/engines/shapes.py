"""A checkpoint's `config.json`, read into a `ModelShape` without loading or running anything of the model.

optimum's normalised configurations say what each architecture calls its numbers. They are written for configuration
objects of `transformers`; making those would load torch, so a stand-in with the names and defaults of
`transformers`' classes is handed to them. Architectures that optimum does not know are read by the same names.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from playground.catalog.shape import ModelShape
from playground.engines.weight_counts import count_in_config, count_in_safetensors
from playground.errors import ModelLoadError

_MAX_CONFIG_BYTES = 4 * 2**20
_FLOAT_BYTES = 4  # of recurrent states, which engines keep in fp32

# Other names of the same number, `transformers`' `attribute_map` of all decoder configurations in one table.
_NAMES: dict[str, tuple[str, ...]] = {
    "num_hidden_layers": ("n_layer", "n_layers", "num_layers"),
    "num_attention_heads": ("n_head", "n_heads", "num_heads"),
    "num_key_value_heads": ("num_kv_heads",),
    "hidden_size": ("n_embd", "d_model", "dim"),
    "intermediate_size": ("n_inner", "ffn_hidden_size", "ffn_dim"),
    "max_position_embeddings": ("n_positions", "n_ctx", "max_seq_len", "max_sequence_length", "seq_length"),
}
# What `transformers`' classes assume where a published config.json is silent (it lists only what differs).
_DEFAULTS: dict[str, dict[str, Any]] = {
    "gemma": {"tie_word_embeddings": True, "head_dim": 256},
    "gemma2": {"tie_word_embeddings": True, "head_dim": 256},
    "gemma3_text": {
        "tie_word_embeddings": True,
        "vocab_size": 262_208,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "max_position_embeddings": 131_072,
    },
    "gemma4_text": {
        "tie_word_embeddings": True,
        "vocab_size": 262_144,
        "head_dim": 256,
        "global_head_dim": 512,
        "hidden_size_per_layer_input": 256,
        "vocab_size_per_layer_input": 262_144,
        "max_position_embeddings": 131_072,
        "sliding_window": 512,
    },
    "gpt2": {"tie_word_embeddings": True},
    "falcon": {"tie_word_embeddings": True, "max_position_embeddings": 2048, "multi_query": True},
    "mpt": {"tie_word_embeddings": True},
    "lfm2": {"tie_word_embeddings": True},
    "smollm3": {"tie_word_embeddings": True},
    "bloom": {"tie_word_embeddings": True, "max_position_embeddings": 2048},
}
# The names of layers, by what they keep for a conversation.
_FULL = frozenset({"full_attention", "attention"})
_WINDOW = frozenset({"sliding_attention", "chunked_attention"})


def read_shape(source: Path | Mapping[str, Any]) -> ModelShape:
    """The shape of a checkpoint: a folder with `config.json`, or what such a file says.

    In a folder, parameters are counted in the headers of its safetensors files where there are some, else computed
    from the configuration (0: unknown). Of a model that also sees or hears, the text part is meant.

    Raises ModelLoadError when the file is missing, damaged, or lacks what a text decoder must say.
    """
    config = _read_config(source) if isinstance(source, Path) else source
    try:
        shape_of = normalised(config)
        return _shape(shape_of, count_in_safetensors(source) if isinstance(source, Path) else 0)
    except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError) as error:
        raise ModelLoadError(
            f"config.json does not describe a text decoder ({error!s:.100}). Choose a text-generation model."
        ) from error


def normalised(config: Mapping[str, Any]) -> dict[str, Any]:
    """The text decoder's configuration under `transformers`' common names, with its class's defaults filled in.

    Raises ValueError or AttributeError naming the number that is missing.
    """
    text = config.get("text_config")
    inner = {**_outer(config), **text} if isinstance(text, Mapping) else dict(config)
    model_type = str(inner.get("model_type", ""))
    values = {**_DEFAULTS.get(model_type, {}), **{key: value for key, value in inner.items() if value is not None}}
    for name, others in _NAMES.items():
        found = next((values[other] for other in (name, *others) if other in values), None)
        if found is not None:
            values[name] = found
    values |= _through_optimum(model_type, values)
    values["model_type"] = model_type
    values["architecture"] = next(iter(config.get("architectures") or inner.get("architectures") or [model_type]))
    values["num_key_value_heads"] = _kv_heads(model_type, values)
    values.setdefault("head_dim", values["hidden_size"] // values["num_attention_heads"])
    values["layer_types"] = _layer_types(values)
    return values


def _outer(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: config[key] for key in ("tie_word_embeddings",) if key in config}


def _through_optimum(model_type: str, values: dict[str, Any]) -> dict[str, int]:
    from optimum.utils import NormalizedConfigManager  # noqa: PLC0415
    from optimum.utils.normalized_config import NormalizedTextConfigWithGQA  # noqa: PLC0415

    try:
        kind = NormalizedConfigManager.get_normalized_config_class(model_type)
    except KeyError:
        kind = NormalizedTextConfigWithGQA
    reader = kind(SimpleNamespace(**values))
    names = {
        "vocab_size": "vocab_size",
        "hidden_size": "hidden_size",
        "num_hidden_layers": "num_layers",
        "num_attention_heads": "num_attention_heads",
    }
    return {name: _size(getattr(reader, asked), name) for name, asked in names.items()}


def _kv_heads(model_type: str, values: Mapping[str, Any]) -> int:
    """Falcon has one head for keys and values unless it is of the newer kind; others say, or have as many as heads."""
    if model_type == "falcon" and not values.get("new_decoder_architecture"):
        return 1 if values.get("multi_query") else int(values["num_attention_heads"])
    return _size(values.get("num_key_value_heads", values["num_attention_heads"]), "num_key_value_heads")


def _layer_types(values: Mapping[str, Any]) -> list[str]:
    """What every layer is; where the configuration has no list, from the older keys that say it in another way."""
    layers = int(values["num_hidden_layers"])
    listed = values.get("layer_types") or values.get("layers_block_type")
    if isinstance(listed, Sequence) and not isinstance(listed, str):
        if len(listed) != layers:
            raise ValueError("layer_types and num_hidden_layers disagree")
        return [str(item) for item in listed]
    if "full_attn_idxs" in values:
        return ["full_attention" if layer in values["full_attn_idxs"] else "conv" for layer in range(layers)]
    every = values.get("full_attention_interval")
    other = "linear_attention"
    if every is None and values.get("sliding_window") and values.get("use_sliding_window", True):
        every, other = values.get("sliding_window_pattern", _PATTERNS.get(str(values["model_type"]))), _SLIDING
    if every is None:
        return ["full_attention"] * layers
    return ["full_attention" if every and (layer + 1) % every == 0 else other for layer in range(layers)]


_SLIDING = "sliding_attention"
# Every which layer sees everything, where a configuration with a window does not list its layers (0: none does).
_PATTERNS = {"gemma2": 2, "gemma3_text": 6, "gemma4_text": 6, "mistral": 0, "phi3": 0}


def _shape(values: Mapping[str, Any], counted: int) -> ModelShape:
    kinds: list[str] = values["layer_types"]
    shared = int(values.get("num_kv_shared_layers") or 0)
    keeping = kinds[: len(kinds) - shared]  # the last ones read what an earlier layer keeps
    vocab, hidden = int(values["vocab_size"]), int(values["hidden_size"])
    size = int(values["num_key_value_heads"]) * int(values["head_dim"])
    full_heads = values.get("num_global_key_value_heads") or values["num_key_value_heads"]
    full_size = values.get("global_head_dim") or values["head_dim"]
    windowed = sum(kind in _WINDOW for kind in keeping)
    return ModelShape(
        architecture=str(values["architecture"]),
        parameters=counted or count_in_config(values),
        hidden_size=hidden,
        kv_layers=sum(kind in _FULL for kind in keeping),
        kv_heads=_size(full_heads, "num_key_value_heads"),
        head_size=_size(full_size, "head_dim"),
        vocab_size=vocab,
        context_length=_size(values["max_position_embeddings"], "max_position_embeddings"),
        window_layers=windowed,
        window=_size(values.get("sliding_window"), "sliding_window") if windowed else 0,
        state_bytes=sum(_state_bytes(kind, values) for kind in keeping),
        heads=int(values["num_attention_heads"]),
        tied_embeddings=bool(values.get("tie_word_embeddings")),
        table_parameters=_tables(values),
        window_kv_size=size if windowed and size != full_heads * full_size else 0,
    )


def _tables(values: Mapping[str, Any]) -> int:
    """Weights that are only looked up: learned positions (GPT-2), embeddings of every layer (Gemma 3n and 4)."""
    per_layer = values.get("hidden_size_per_layer_input") or 0
    positions = int(values["max_position_embeddings"]) * int(values["hidden_size"])
    learned = positions if values["model_type"] in {"gpt2", "opt", "gpt_neo"} else 0
    return learned + per_layer * int(values["num_hidden_layers"]) * int(values.get("vocab_size_per_layer_input") or 0)


def _state_bytes(kind: str, values: Mapping[str, Any]) -> int:
    """What a recurrent layer keeps for a conversation: the last inputs of its convolution, and a matrix per head."""
    if kind == "conv":  # LFM2's short convolution
        return _FLOAT_BYTES * int(values["hidden_size"]) * int(values.get("conv_L_cache", 3))
    if (
        kind == "linear_attention" and "linear_key_head_dim" in values
    ):  # Gated DeltaNet, https://arxiv.org/abs/2412.06464
        key = int(values["linear_key_head_dim"]), int(values["linear_num_key_heads"])
        value = int(values["linear_value_head_dim"]), int(values["linear_num_value_heads"])
        width = 2 * math.prod(key) + math.prod(value)
        return _FLOAT_BYTES * (width * int(values.get("linear_conv_kernel_dim", 4)) + value[1] * key[0] * value[0])
    if kind in {"mamba", "linear_attention"}:  # Mamba 2, https://arxiv.org/abs/2405.21060
        inner = int(values["mamba_expand"] * values["hidden_size"])
        state = int(values["mamba_d_state"])
        width = inner + 2 * int(values["mamba_n_groups"]) * state
        return _FLOAT_BYTES * (width * int(values["mamba_d_conv"]) + inner * state)
    if kind in _FULL | _WINDOW:
        return 0
    raise ValueError(f"a layer of the kind {kind!r:.40} is not known here")


def _size(value: object, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 2**31:
        raise ValueError(f"{name} is {value!r:.30}, which is no possible size")
    return value


def _read_config(folder: Path) -> Mapping[str, Any]:
    file = folder / "config.json"
    try:
        if file.stat().st_size > _MAX_CONFIG_BYTES:
            raise ModelLoadError(f"config.json of {folder.name} is too large to be real. Download the model again.")
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelLoadError(
            f"The folder {folder.name} has no config.json that can be read. Download the model again."
        ) from error
    if not isinstance(config, Mapping):
        raise ModelLoadError(f"config.json of {folder.name} is damaged. Download the model again.")
    return config
