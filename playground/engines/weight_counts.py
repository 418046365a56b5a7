"""How many weights a model has: counted in the headers of its safetensors files, or computed from its configuration.

Only the JSON header of a safetensors file is read (8 bytes of length, then tensor names with types and shapes:
https://huggingface.co/docs/safetensors), never the weights themselves.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from playground.errors import ModelLoadError

_MAX_HEADER_BYTES = 100 * 2**20  # the format's own limit
_MAX_FILES = 512


def count_in_safetensors(folder: Path) -> int:
    """Weights in all safetensors files of a folder; 0 when there are none.

    Raises ModelLoadError when a header is damaged, or larger than the format allows.
    """
    files = sorted(folder.glob("*.safetensors"))
    if len(files) > _MAX_FILES:
        raise ModelLoadError(f"{folder.name} has more than {_MAX_FILES} files of weights, which is not a real model.")
    return sum(_count(header) for header in map(read_header, files))


def read_header(file: Path) -> dict[str, Any]:
    """What a safetensors file says of its tensors, by name (`dtype`, `shape`). Raises ModelLoadError."""
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            possible = 2 <= length <= min(_MAX_HEADER_BYTES, file.stat().st_size - 8)
            header = json.loads(stream.read(length)) if possible else None
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(file) from error
    if not isinstance(header, dict):
        raise _damaged(file)
    return {name: tensor for name, tensor in header.items() if name != "__metadata__"}


def _damaged(file: Path) -> ModelLoadError:
    return ModelLoadError(f"The file of weights {file.name} is damaged. Download the model again.")


def _count(header: Mapping[str, Any]) -> int:
    try:
        return sum(math.prod(_dimensions(tensor["shape"])) for tensor in header.values())
    except (KeyError, TypeError, ValueError) as error:
        raise ModelLoadError("A file of weights has a damaged header. Download the model again.") from error


def _dimensions(shape: object) -> list[int]:
    if not isinstance(shape, list) or not all(isinstance(size, int) and 0 <= size <= 2**40 for size in shape):
        raise ValueError("a shape is not a list of sizes")
    return shape


Values = Mapping[str, Any]


def count_in_config(values: Values) -> int:
    """Weights of a decoder, from its normalised configuration (see `shapes.normalised`); 0 for an unknown architecture.

    Matrices, biases, norms and tables are counted as `transformers` makes them.
    """
    kind = _KINDS.get(values["model_type"])
    if kind is None:
        return 0
    hidden, vocab = int(values["hidden_size"]), int(values["vocab_size"])
    tables = vocab * hidden * (1 if values.get("tie_word_embeddings") else 2)
    layers = sum(kind(values, index, name) for index, name in enumerate(values["layer_types"]))
    extra = _EXTRAS.get(values["model_type"])
    return tables + layers + hidden + (extra(values) if extra else 0)


def _attention(values: Values, *, head: int = 0, kv_heads: int = 0, gate: bool = False) -> int:
    hidden, heads = int(values["hidden_size"]), int(values["num_attention_heads"])
    head = head or int(values["head_dim"])
    kv = (kv_heads or int(values["num_key_value_heads"])) * head
    biases = heads * head + 2 * kv if values["model_type"] == "qwen2" else 0
    if values.get("attention_bias"):
        biases = heads * head + 2 * kv + hidden
    return hidden * heads * head * (3 if gate else 2) + 2 * hidden * kv + biases


def _gated(values: Values, width: int = 0) -> int:
    biases = 2 * int(values["intermediate_size"]) + int(values["hidden_size"]) if values.get("mlp_bias") else 0
    return 3 * int(values["hidden_size"]) * (width or int(values["intermediate_size"])) + biases


def _llama(values: Values, index: int, kind: str) -> int:
    """Two norms, attention, a gated feed-forward part; query and key norms where the family has them."""
    del index, kind
    heads, kv_heads = int(values["num_attention_heads"]), int(values["num_key_value_heads"])
    head, hidden = int(values["head_dim"]), int(values["hidden_size"])
    norms = {"qwen3": 2 * head, "olmo2": heads * head + kv_heads * head, "gemma3_text": 2 * head + 2 * hidden}
    norms |= {"gemma2": 2 * hidden, "olmo": -2 * hidden}
    return _attention(values) + _gated(values) + 2 * hidden + norms.get(values["model_type"], 0)


def _lfm2(values: Values, index: int, kind: str) -> int:
    del index
    hidden, head = int(values["hidden_size"]), int(values["head_dim"])
    mixer = _attention(values) + 2 * head
    if kind == "conv":
        mixer = 4 * hidden * hidden + hidden * int(values.get("conv_L_cache", 3))
    return mixer + _gated(values, _lfm2_width(values)) + 2 * hidden


def _lfm2_width(values: Values) -> int:
    width = int(values.get("block_ff_dim", values["intermediate_size"]))
    if not values.get("block_auto_adjust_ff_dim", True):
        return width
    multiple = int(values.get("block_multiple_of", 256))
    width = int(values.get("block_ffn_dim_multiplier", 1.0) * int(2 * width / 3))
    return -(-width // multiple) * multiple


def _qwen3_5(values: Values, index: int, kind: str) -> int:
    del index
    hidden, head = int(values["hidden_size"]), int(values["head_dim"])
    mixer = _attention(values, gate=True) + 2 * head
    if kind == "linear_attention":
        key = int(values["linear_key_head_dim"]) * int(values["linear_num_key_heads"])
        heads, size = int(values["linear_num_value_heads"]), int(values["linear_value_head_dim"])
        width = 2 * key + heads * size
        inputs = hidden * (width + heads * size + 2 * heads)
        mixer = inputs + width * int(values.get("linear_conv_kernel_dim", 4)) + 2 * heads + size + heads * size * hidden
    return mixer + _gated(values) + 2 * hidden


def _gemma4(values: Values, index: int, kind: str) -> int:
    hidden, full = int(values["hidden_size"]), kind == "full_attention"
    head = int(values["global_head_dim"] if full else values["head_dim"])
    kv_heads = int((full and values.get("num_global_key_value_heads")) or values["num_key_value_heads"])
    shared = index >= int(values["num_hidden_layers"]) - int(values.get("num_kv_shared_layers") or 0)
    mixer = _attention(values, head=head, kv_heads=kv_heads) + 2 * head
    if shared:
        mixer -= 2 * hidden * kv_heads * head + head
    elif full and values.get("attention_k_eq_v"):
        mixer -= hidden * kv_heads * head
    wide = 2 if shared and values.get("use_double_wide_mlp") else 1
    per_layer = int(values["hidden_size_per_layer_input"] or 0)
    gates = 2 * hidden * per_layer + hidden if per_layer else 0
    return mixer + _gated(values, wide * int(values["intermediate_size"])) + 4 * hidden + gates


def _gemma4_tables(values: Values) -> int:
    per_layer = int(values["hidden_size_per_layer_input"] or 0)
    width = per_layer * int(values["num_hidden_layers"])
    return width * (int(values["vocab_size_per_layer_input"]) + int(values["hidden_size"])) + per_layer


def _granite_hybrid(values: Values, index: int, kind: str) -> int:
    del index
    hidden = int(values["hidden_size"])
    mixer = _attention(values)
    if kind in {"mamba", "linear_attention"}:
        inner, heads = int(values["mamba_expand"] * hidden), int(values["mamba_n_heads"])
        width = inner + 2 * int(values["mamba_n_groups"]) * int(values["mamba_d_state"])
        conv = width * (int(values["mamba_d_conv"]) + int(bool(values.get("mamba_conv_bias"))))
        mixer = hidden * (inner + width + heads) + conv + 3 * heads + inner + inner * hidden
    experts = int(values.get("num_local_experts") or 0)
    routed = experts * (_gated(values) + hidden) if experts else 0
    return mixer + routed + 3 * hidden * int(values["shared_intermediate_size"]) + 2 * hidden


def _gpt2(values: Values, index: int, kind: str) -> int:
    del index, kind
    hidden = int(values["hidden_size"])
    width = int(values.get("intermediate_size") or 4 * hidden)
    return 4 * hidden * hidden + 4 * hidden + 2 * hidden * width + width + hidden + 4 * hidden


def _neox(values: Values, index: int, kind: str) -> int:
    del index, kind
    hidden, width = int(values["hidden_size"]), int(values["intermediate_size"])
    biases = 4 * hidden if values.get("attention_bias", True) else 0
    return 4 * hidden * hidden + biases + 2 * hidden * width + width + hidden + 4 * hidden


def _falcon(values: Values, index: int, kind: str) -> int:
    del index, kind
    hidden = int(values["hidden_size"])
    width = int(values.get("intermediate_size") or 4 * hidden)
    biases = 2 * hidden + width + 2 * int(values["num_key_value_heads"]) * int(values["head_dim"]) + hidden
    norms = 4 if values.get("new_decoder_architecture") or not values.get("parallel_attn", True) else 2
    return _attention(values) + 2 * hidden * width + norms * hidden + (biases if values.get("bias") else 0)


def _mpt(values: Values, index: int, kind: str) -> int:
    del index, kind
    hidden = int(values["hidden_size"])
    return 4 * hidden * hidden + 2 * hidden * int(values.get("expansion_ratio", 4)) * hidden + 2 * hidden


_KINDS: dict[str, Callable[[Values, int, str], int]] = {
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3", "phi3", "smollm3", "granite"), _llama),
    **dict.fromkeys(("olmo", "olmo2", "gemma", "gemma2", "gemma3_text"), _llama),
    "lfm2": _lfm2,
    "qwen3_5_text": _qwen3_5,
    "gemma4_text": _gemma4,
    "granitemoehybrid": _granite_hybrid,
    "gpt2": _gpt2,
    "gpt_neox": _neox,
    "falcon": _falcon,
    "mpt": _mpt,
}
_EXTRAS: dict[str, Callable[[Values], int]] = {
    "gpt2": lambda values: int(values["hidden_size"]) * (int(values["max_position_embeddings"]) + 1),
    "gpt_neox": lambda values: int(values["hidden_size"]),
    "falcon": lambda values: int(values["hidden_size"]),
    "olmo": lambda values: -int(values["hidden_size"]),
    "gemma4_text": _gemma4_tables,
}
