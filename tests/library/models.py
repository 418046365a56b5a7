"""Repositories for tests: small, and shaped like real ones."""

from __future__ import annotations

import json
import random

CONFIG = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "max_position_embeddings": 4096}


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes that no two seeds share."""
    return random.Random(seed).randbytes(size)


def checkpoint(size: int = 300_000, **config: object) -> dict[str, bytes]:
    """A transformers repository: what is wanted of it, and what never is."""
    return {
        "config.json": json.dumps(CONFIG | config).encode(),
        "tokenizer.json": b'{"model": {}}',
        "tokenizer_config.json": b"{}",
        "model.safetensors": noise(size),
        "pytorch_model.bin": b"\x80\x04never",
        "modeling_llama.py": b"raise SystemExit('code of the repository ran')",
        "README.md": b"# A model",
        ".gitattributes": b"*.safetensors filter=lfs",
    }


def genai(folder: str = "", size: int = 50_000) -> dict[str, bytes]:
    """A folder of the GenAI model builder."""
    prefix = f"{folder}/" if folder else ""
    return {
        f"{prefix}genai_config.json": json.dumps({"model": {"context_length": 8192}}).encode(),
        f"{prefix}tokenizer.json": b"{}",
        f"{prefix}tokenizer_config.json": b"{}",
        f"{prefix}model.onnx": noise(1000),
        f"{prefix}model.onnx.data": noise(size, 2),
    }
