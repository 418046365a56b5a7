"""From trained weights to folders that run: Hugging Face format, then ONNX in fp32, int8 and int4, checked."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import onnx
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import (
    AutoModelForCausalLM,
    GenerationConfig,
    LlamaConfig,
    PreTrainedTokenizerFast,
    Qwen3Config,
)

from training.chat.corpus import END, PAD, START, Talk, token_id
from training.chat.model import Shape
from training.chat.rounding import BLOCK, is_in_4_bits
from training.chat.runtime import ExportedModel
from training.chat.template import CHAT_TEMPLATE, prompt_ids
from training.chat.train import BEST_FILE

PRECISIONS = ("fp32", "int8", "int4")
CHECKED_PROMPTS = 20
CHECK_SEED = 4242
ACCURACY_LEVEL = 4
"""Products with weights of few bits are computed in 8 bits, as the builder does for a CPU unless told otherwise."""
NEW_TOKENS = 160
TOKENIZER_FILE = "tokenizer.json"


@dataclass(frozen=True)
class Product:
    """What is exported: its folder's name, its sizes, talk to check it by, how it answers unless told otherwise.

    `weights` is the file of a run that is taken.
    """

    name: str
    shape: Shape
    talk: Callable[[int], Talk]
    temperature: float = 0.3
    top_p: float = 0.9
    weights: str = BEST_FILE


class ExportMismatch(Exception):
    """An exported graph answers differently from the model it was made of."""


def build_config(shape: Shape, end: int, pad: int) -> LlamaConfig | Qwen3Config:
    """The Hugging Face configuration of a shape."""
    kind = Qwen3Config if shape.normed_heads else LlamaConfig
    return kind(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_width,
        intermediate_size=shape.hidden,
        max_position_embeddings=shape.context,
        rms_norm_eps=shape.epsilon,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta},
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=pad,
    )


def write_checkpoint(run: Path, product: Product, out: Path) -> None:
    """Write the product's weights of a training run as a Hugging Face folder."""
    tokenizer = Tokenizer.from_file(str(run / TOKENIZER_FILE))
    end, pad = token_id(tokenizer, END), token_id(tokenizer, PAD)
    config = build_config(product.shape, end, pad)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)  # type: ignore[no-untyped-call]
    weights = {f"model.{name}": weight for name, weight in load_file(run / product.weights).items()}
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
    model.load_state_dict(weights)
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        eos_token_id=end,
        pad_token_id=pad,
        max_new_tokens=NEW_TOKENS,
        do_sample=True,
        temperature=product.temperature,
        top_p=product.top_p,
    )
    model.save_pretrained(out)
    wrapped = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[START],
        model_max_length=product.shape.context,
        clean_up_tokenization_spaces=False,
    )
    wrapped.chat_template = CHAT_TEMPLATE
    wrapped.save_pretrained(out)


def few_bits(shape: Shape) -> dict[str, Any]:
    """How the model builder makes the 4-bit form: "k-quants", which look for the scale and the zero point that fit a
    block of weights best. What loses most by so few bits is kept in 8 (see `rounding`).
    """
    queries = ("q_proj", "k_proj", "v_proj") if shape.normed_heads else ("qkv_proj",)
    parts = [*(f"attn/{name}" for name in (*queries, "o_proj")), "mlp/gate_proj", "mlp/up_proj", "mlp/down_proj"]
    names = [f"/model/layers.{layer}/{part}/MatMul" for layer in range(shape.layers) for part in parts]
    kept = [name for name in ("/lm_head/MatMul", *names) if not is_in_4_bits(name)]
    weights = {
        "type": "int4",
        "method": "k_quant",
        "block_size": BLOCK,
        "accuracy_level": ACCURACY_LEVEL,
        "op_types": ["MatMul", "Gather"],
        "overrides": [{"match": {"name": name}, "type": "int8"} for name in kept],
    }
    return {"quant_config": {"io_dtype": "fp32", "weights": weights}}


def convert(checkpoint: Path, out: Path, precision: str, shape: Shape) -> None:
    """Convert a Hugging Face folder with ONNX Runtime's model builder, weights inside the graph file."""
    command = [sys.executable, "-m", "onnxruntime_genai.models.builder"]
    command += ["-i", str(checkpoint), "-o", str(out), "-p", precision, "-e", "cpu"]
    if precision == "int4":
        command += ["--target_options", json.dumps(few_bits(shape))]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603
    shutil.rmtree(out / "cache", ignore_errors=True)
    graph = onnx.load(str(out / "model.onnx"))
    (out / "model.onnx.data").unlink(missing_ok=True)
    onnx.save_model(graph, str(out / "model.onnx"))


def check_prompts(
    tokenizer: Tokenizer, talk: Callable[[int], Talk], longest: int, count: int = CHECKED_PROMPTS
) -> list[list[int]]:
    """Prompts of one and of several turns for comparing two forms of the model."""
    conversations = talk(CHECK_SEED)
    prompts: list[list[int]] = []
    while len(prompts) < count:
        (turns,) = conversations.conversations(1)
        prompt = prompt_ids(tokenizer, turns[:-1])
        if len(prompt) <= longest:
            prompts.append(prompt)
    return prompts


def reference_answers(checkpoint: Path, prompts: Sequence[Sequence[int]], limit: int) -> list[list[int]]:
    """The greedy continuations of transformers in 32-bit floats."""
    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32).eval()  # type: ignore[no-untyped-call]
    settings = GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=False,
        max_new_tokens=limit,
        eos_token_id=model.generation_config.eos_token_id,
        pad_token_id=model.generation_config.pad_token_id,
    )
    model.generation_config = settings
    answers = []
    for prompt in prompts:
        ids = torch.tensor([list(prompt)])
        with torch.no_grad():
            tokens = model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=settings)
        answers.append([int(token) for token in tokens[0, len(prompt) :] if token != settings.eos_token_id])
    return answers


def check(checkpoint: Path, exported: Path, talk: Callable[[int], Talk], limit: int = 60) -> int:
    """How many of the prompts an exported graph answers as transformers does."""
    model = ExportedModel(exported)
    prompts = check_prompts(model.tokenizer, talk, model.context - limit)
    wanted = reference_answers(checkpoint, prompts, limit)
    return sum(model.generate(prompt, limit) == answer for prompt, answer in zip(prompts, wanted, strict=True))


def export(run: Path, product: Product, precisions: Sequence[str], report: Callable[[str], None]) -> Path:
    """Write ``hf`` and ``NAME/PRECISION`` into the run; refuse if the fp32 graph answers differently."""
    draft, out = run / "draft", run / product.name
    shutil.rmtree(draft, ignore_errors=True)
    write_checkpoint(run, product, draft / "hf")
    for precision in precisions:
        convert(draft / "hf", draft / precision, precision, product.shape)
        equal = check(draft / "hf", draft / precision, product.talk)
        report(f"{precision}: {equal} of {CHECKED_PROMPTS} greedy answers equal those of transformers")
        if precision == "fp32" and equal < CHECKED_PROMPTS:
            shutil.rmtree(draft)
            raise ExportMismatch(f"fp32 graph: only {equal} of {CHECKED_PROMPTS} answers equal those of transformers")
    for part, target in ((draft / "hf", run / "hf"), *((draft / name, out / name) for name in precisions)):
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        part.replace(target)
    draft.rmdir()
    write_sums(out)
    return out


def write_sums(folder: Path) -> None:
    """Write the checksums that `python -m playground doctor` compares the model's files with, as `sha256sum` does."""
    files = sorted(file for file in folder.glob("*/*") if file.is_file())
    lines = [f"{sha256(file.read_bytes()).hexdigest()}  {file.relative_to(folder).as_posix()}\n" for file in files]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="ascii")
