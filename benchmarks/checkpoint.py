"""The model that engines are measured on: SmolLM2-135M's shape with random weights, converted once and cached."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

VOCABULARY = 49_152
END = 2


def converted(precision: str) -> Path:
    """The folder that this project's own conversion made for this precision (int4, int8, fp32), checked.

    It is made on first use, in about a minute. Raises PlaygroundError when the conversion fails.
    """
    from playground.engines.conversion.job import convert  # noqa: PLC0415  the runners of peers have no playground
    from playground.engines.conversion.request import ConversionRequest  # noqa: PLC0415

    folder = cache() / f"llama-135m-{precision}-converted"
    if not folder.exists():
        convert(ConversionRequest(checkpoint(), folder, precision), lambda _: None, lambda: False)
    return folder


def built(precision: str) -> Path:
    """The folder that ONNX Runtime GenAI's model builder writes without further ado, for its own Generator.

    It is made on first use, in about ten seconds. Raises CalledProcessError when the builder fails.
    """
    folder = cache() / f"llama-135m-{precision}"
    if not (folder / "genai_config.json").exists():
        source = checkpoint()
        part = folder.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        builder = [sys.executable, "-W", "ignore", "-m", "onnxruntime_genai.models.builder"]
        options = ["-i", str(source), "-o", str(part), "-p", precision, "-e", "cpu", "-c", str(cache() / "builder")]
        subprocess.run([*builder, *options], check=True, capture_output=True, timeout=600)
        part.rename(folder)
    return folder


def checkpoint() -> Path:
    """The folder as `transformers` saved it, in fp32 safetensors; made on first use."""
    folder = cache() / "llama-135m"
    if (folder / "tokenizer_config.json").exists():
        return folder
    import torch  # noqa: PLC0415  only who measures this model pays for loading torch
    from transformers import LlamaConfig, LlamaForCausalLM  # noqa: PLC0415

    torch.manual_seed(0)
    config = LlamaConfig(  # type: ignore[call-arg]  # its signature tells no inherited options
        hidden_size=576,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        head_dim=64,
        intermediate_size=1536,
        vocab_size=VOCABULARY,
        max_position_embeddings=8192,
        rope_theta=100_000.0,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=END,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    _tokenizer(folder)
    return folder


def cache() -> Path:
    """Where benchmarks keep what they made: `BENCH_CACHE` (default: `playground-bench` in the user's cache folder)."""
    return Path(os.environ.get("BENCH_CACHE") or Path.home() / ".cache" / "playground-bench")


def _tokenizer(folder: Path) -> None:
    """A byte-level tokenizer whose ids beyond the bytes are words of their own, so that every answer has text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers  # noqa: PLC0415

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = ["<pad>", "<s>", "</s>", *letters]
    words += [f"Ġw{number}" for number in range(VOCABULARY - len(words))]
    tokenizer = Tokenizer(models.BPE(vocab={word: number for number, word in enumerate(words)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<pad>", "<s>", "</s>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    template = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": "<pad>",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "chat_template": template,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
