"""Write the benchmarks' checkpoint as GGUF: `python -m benchmarks.runners.gguf_file CHECKPOINT FILE Q4_0|Q8_0`.

Every matrix gets the same kind of blocks, the table of tokens too, as in the int4 and int8 graphs it is compared with.
Run by the environment that has the `gguf` package.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np

NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
OUTSIDE = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}


def write(checkpoint: Path, file: Path, kind: str) -> None:
    """The file, without a tokenizer: token ids go in and come out."""
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    writer = gguf.GGUFWriter(str(file), "llama")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("none")
    blocks = gguf.GGMLQuantizationType[kind]
    for name, values in _tensors(checkpoint / "model.safetensors"):
        turned = _turned(name, values, config)
        if turned.ndim == 1:
            writer.add_tensor(_renamed(name), turned)
        else:
            writer.add_tensor(_renamed(name), gguf.quants.quantize(turned, blocks), raw_dtype=blocks)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _tensors(file: Path) -> Iterator[tuple[str, Any]]:
    """Names and values of a safetensors file in fp32: its header is JSON, with the places of the values behind it."""
    content = np.memmap(file, np.uint8, "r")
    end = 8 + int(content[:8].view(np.uint64)[0])
    for name, item in json.loads(bytes(content[8:end])).items():
        if name != "__metadata__":
            first, last = item["data_offsets"]
            yield name, content[end + first : end + last].view(np.float32).reshape(item["shape"])


def _turned(name: str, values: Any, config: dict[str, Any]) -> Any:
    """llama.cpp rotates neighbouring values, `transformers` the two halves of a head: rows of queries and keys move."""
    for kind, heads in (("q_proj", "num_attention_heads"), ("k_proj", "num_key_value_heads")):
        if kind in name:
            halves = values.reshape(config[heads], 2, config["head_dim"] // 2, values.shape[1])
            return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(values.shape))
    return np.ascontiguousarray(values)


def _renamed(name: str) -> str:
    if name in OUTSIDE:
        return OUTSIDE[name]
    layer, part = name.removeprefix("model.layers.").removesuffix(".weight").split(".", 1)
    return f"blk.{layer}.{NAMES[part]}.weight"


if __name__ == "__main__":
    source, target, kind = sys.argv[1:]
    write(Path(source), Path(target), kind)
