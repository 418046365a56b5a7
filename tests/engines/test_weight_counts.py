"""Counts from headers and from configurations equal what `transformers` makes; bad headers are refused unread."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from playground.engines.shapes import read_shape
from playground.engines.weight_counts import count_in_safetensors, read_header
from playground.errors import ModelLoadError

TINY = {
    "vocab_size": 320,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 128,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
TURNS = ("linear_attention", "full_attention") * 2
MAMBA = {"mamba_n_heads": 8, "mamba_d_head": 16, "mamba_expand": 2, "mamba_d_state": 8, "shared_intermediate_size": 32}
DELTA = {"linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 12}
PER_LAYER = {"hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": 320}
GPT = {"n_embd": 64, "n_layer": 4, "n_head": 4, "n_positions": 128, "vocab_size": 320, "bos_token_id": 1}
MPT = {"d_model": 64, "n_layers": 4, "n_heads": 4, "max_seq_len": 128, "vocab_size": 320}
CONFIGS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3", "phi3", "smollm3", "granite", "olmo", "olmo2"), TINY),
    **dict.fromkeys(("gemma", "gemma2", "gemma3_text", "gpt_neox"), TINY),
    "lfm2": TINY | {"layer_types": ["conv", "full_attention"] * 2},
    "qwen3_5_text": TINY | DELTA | {"layer_types": list(TURNS)},
    "gemma4_text": TINY
    | PER_LAYER
    | {
        "num_kv_shared_layers": 2,
        "use_double_wide_mlp": True,
        "layer_types": ["sliding_attention", "full_attention"] * 2,
    },
    "granitemoehybrid": TINY | MAMBA | {"layer_types": ["mamba", "attention"] * 2, "num_local_experts": 0},
    "gpt2": GPT | {"eos_token_id": 2},
    "mpt": MPT,
    "falcon": {"hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4, "vocab_size": 320},
}


@pytest.mark.parametrize("tied", [True, False, None])
@pytest.mark.parametrize("model_type", CONFIGS)
def test_the_configuration_counts_as_transformers_does(model_type: str, tied: bool | None) -> None:
    import torch  # noqa: PLC0415
    from transformers import AutoModelForCausalLM  # noqa: PLC0415
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING  # noqa: PLC0415

    changes = {} if tied is None else {"tie_word_embeddings": tied}
    with warnings.catch_warnings(), torch.device("meta"):
        warnings.simplefilter("ignore")
        config = CONFIG_MAPPING[model_type](**CONFIGS[model_type], **changes)
        model = AutoModelForCausalLM.from_config(config)
    published = json.loads(config.to_json_string(use_diff=True)) | {"model_type": model_type}
    assert read_shape(published).parameters == sum(weight.numel() for weight in model.parameters())


def test_an_unknown_architecture_is_not_guessed_at() -> None:
    assert read_shape(TINY | {"model_type": "of-tomorrow"}).parameters == 0


def write(folder: Path, name: str, header: bytes, data: bytes = b"", length: int | None = None) -> Path:
    file = folder / name
    file.write_bytes((len(header) if length is None else length).to_bytes(8, "little") + header + data)
    return file


def test_headers_are_counted_over_all_files(tmp_path: Path) -> None:
    tensor = {"dtype": "F16", "shape": [3, 4], "data_offsets": [0, 24]}
    scalar = {"dtype": "F16", "shape": [], "data_offsets": [24, 26]}
    write(tmp_path, "a.safetensors", json.dumps({"__metadata__": {"format": "pt"}, "w": tensor, "s": scalar}).encode())
    write(tmp_path, "b.safetensors", json.dumps({"v": tensor}).encode())
    assert count_in_safetensors(tmp_path) == 25
    assert count_in_safetensors(tmp_path / "none") == 0


def test_a_real_checkpoint(hf_folder: Path) -> None:
    assert count_in_safetensors(hf_folder) == read_shape(json.loads((hf_folder / "config.json").read_text())).parameters


@pytest.mark.parametrize(
    ("header", "length"),
    [
        (b"{", None),
        (b"[]", None),
        (b"\xff\xfe", None),
        (b"{}", 2**60),
        (b"{}", 3),
        (b"", None),
        (b"[" * 100_000, None),
    ],
)
def test_damaged_headers(tmp_path: Path, header: bytes, length: int | None) -> None:
    file = write(tmp_path, "x.safetensors", header, length=length)
    with pytest.raises(ModelLoadError, match=r"of weights x\.safetensors is damaged"):
        read_header(file)


@pytest.mark.parametrize("shape", ["[1]", [-1, 2], [2**50], None, [1.5]])
def test_damaged_shapes(tmp_path: Path, shape: object) -> None:
    write(tmp_path, "x.safetensors", json.dumps({"w": {"dtype": "F16", "shape": shape}}).encode())
    with pytest.raises(ModelLoadError, match="damaged header"):
        count_in_safetensors(tmp_path)
