"""Configurations as they are published become shapes; the plan's sizes are those of files and processes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from playground.catalog.catalog import Catalog
from playground.catalog.memory_plan import RUNTIMES, Need, weights_bytes
from playground.catalog.shape import ModelShape
from playground.domain import SamplingParams
from playground.engines.contract import EngineOptions, Prompt
from playground.engines.pool import EnginePool
from playground.engines.shapes import read_shape
from playground.engines.worker_engine import WorkerEngine
from playground.errors import ModelLoadError
from tests.engines.conftest import make_spec

GEMMA3 = {
    "architectures": ["Gemma3ForConditionalGeneration"],
    "model_type": "gemma3",
    "text_config": {
        "hidden_size": 2560,
        "intermediate_size": 10240,
        "model_type": "gemma3_text",
        "num_hidden_layers": 34,
        "sliding_window": 1024,
    },
    "vision_config": {"hidden_size": 1152, "model_type": "siglip_vision_model", "num_hidden_layers": 27},
}
GEMMA4 = {
    "model_type": "gemma4",
    "tie_word_embeddings": True,
    "text_config": {
        "model_type": "gemma4_text",
        "hidden_size": 1536,
        "intermediate_size": 6144,
        "num_hidden_layers": 35,
        "num_attention_heads": 8,
        "num_key_value_heads": 1,
        "num_kv_shared_layers": 20,
        "use_double_wide_mlp": True,
        "layer_types": (["sliding_attention"] * 4 + ["full_attention"]) * 7,
    },
}
QWEN35 = {
    "model_type": "qwen3_5",
    "tie_word_embeddings": True,
    "text_config": {
        "model_type": "qwen3_5_text",
        "hidden_size": 1024,
        "intermediate_size": 3584,
        "num_hidden_layers": 24,
        "num_attention_heads": 8,
        "num_key_value_heads": 2,
        "head_dim": 256,
        "vocab_size": 248_320,
        "max_position_embeddings": 262_144,
        "full_attention_interval": 4,
        "linear_key_head_dim": 128,
        "linear_num_key_heads": 16,
        "linear_num_value_heads": 16,
        "linear_value_head_dim": 128,
    },
}
FALCON = {
    "architectures": ["FalconForCausalLM"],
    "model_type": "falcon",
    "hidden_size": 4544,
    "num_attention_heads": 71,
    "num_hidden_layers": 32,
    "num_kv_heads": 71,
    "multi_query": True,
    "vocab_size": 65024,
}
MISTRAL = {
    "model_type": "mistral",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "max_position_embeddings": 32768,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "sliding_window": 4096,
    "vocab_size": 32000,
}


def test_a_model_that_also_sees_is_read_as_a_text_model() -> None:
    shape = read_shape(GEMMA3)
    assert shape.architecture == "Gemma3ForConditionalGeneration"
    assert (shape.kv_layers, shape.window_layers, shape.window) == (5, 29, 1024)
    assert (shape.heads, shape.kv_heads, shape.head_size, shape.vocab_size) == (8, 4, 256, 262_208)
    assert shape.tied_embeddings
    assert round(shape.parameters / 1e9, 2) == 3.88


def test_layers_that_share_and_layers_of_two_sizes() -> None:
    shape = read_shape(GEMMA4)
    assert (shape.kv_layers, shape.window_layers, shape.window) == (3, 12, 512)
    assert (shape.kv_heads, shape.head_size, shape.window_kv_size) == (1, 512, 256)
    assert shape.table_parameters == 35 * 256 * 262_144
    assert round(shape.parameters / 1e9, 2) == 4.63


def test_recurrent_layers_keep_a_state() -> None:
    shape = read_shape(QWEN35)
    assert (shape.kv_layers, shape.window_layers) == (6, 0)
    assert shape.state_bytes == 18 * 4 * ((3 * 2048) * 4 + 16 * 128 * 128)
    assert round(shape.parameters / 1e6) == 752


def test_one_head_for_keys_and_values() -> None:
    shape = read_shape(FALCON)
    assert (shape.kv_heads, shape.head_size, shape.context_length) == (1, 64, 2048)
    assert shape.tied_embeddings
    newer = read_shape(FALCON | {"new_decoder_architecture": True, "num_kv_heads": 8, "num_attention_heads": 64})
    assert newer.kv_heads == 8


def test_a_window_without_a_list_of_layers() -> None:
    assert (read_shape(MISTRAL).kv_layers, read_shape(MISTRAL).window_layers) == (0, 32)
    without = read_shape(MISTRAL | {"sliding_window": None})
    assert (without.kv_layers, without.window_layers, without.window) == (32, 0, 0)
    assert without.parameters == 7_241_732_096
    unused = read_shape(MISTRAL | {"model_type": "qwen2", "use_sliding_window": False})
    assert unused.window_layers == 0


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"num_hidden_layers": None}, "num_layers|num_hidden_layers"),
        ({"hidden_size": "big"}, "hidden_size is 'big'"),
        ({"vocab_size": -1}, "vocab_size is -1"),
        ({"num_attention_heads": 0}, "num_attention_heads is 0"),
        ({"max_position_embeddings": 2**40}, "max_position_embeddings"),
        ({"layer_types": ["full_attention"]}, "disagree"),
        ({"layer_types": ["spooky"] * 32}, "'spooky' is not known"),
        ({"architectures": 5}, "does not describe"),
    ],
)
def test_configurations_that_describe_no_text_decoder(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ModelLoadError, match=sentence):
        read_shape(MISTRAL | changes)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, "\ud800", " " * (5 * 2**20)])
def test_files_that_are_damaged(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_bytes(text.encode(errors="surrogatepass"))
    with pytest.raises(ModelLoadError):
        read_shape(tmp_path)
    with pytest.raises(ModelLoadError, match=r"no config\.json"):
        read_shape(tmp_path / "none")


def test_a_folder(hf_folder: Path) -> None:
    shape = read_shape(hf_folder)
    assert shape.architecture == "LlamaForCausalLM"
    assert (shape.kv_layers, shape.kv_heads, shape.head_size, shape.context_length) == (2, 2, 16, 512)
    assert shape.parameters > 0


def test_reading_a_shape_loads_no_model_library(hf_folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from playground.engines.shapes import read_shape; "
        f"read_shape(Path({str(hf_folder)!r})); print([n for n in ('torch', 'transformers') if n in sys.modules])"
    )
    root = Path(__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=100, check=True
    )
    assert result.stdout.strip() == "[]", result.stderr


@pytest.mark.parametrize("precision", ["int4", "int8", "fp32"])
def test_the_builders_files_are_as_large_as_planned(
    precision: str, hf_folder: Path, convert: Callable[[str], Path]
) -> None:
    folder = convert(precision)
    size = sum(file.stat().st_size for file in folder.glob("model.onnx*"))
    graph = 60_000  # names and nodes of two layers, and the table of rotations
    planned = weights_bytes(read_shape(hf_folder), precision)
    assert abs(size - graph - planned) < 60_000


def pip_shape() -> tuple[ModelShape, Path]:
    """Pip's shape, from what the builder wrote of it."""
    spec = Catalog.load().get("pip")
    assert spec.path is not None
    model = json.loads((spec.path / "genai_config.json").read_text(encoding="utf-8"))["model"]
    decoder = model["decoder"]
    shape = ModelShape(
        architecture="LlamaForCausalLM",
        parameters=spec.parameters,
        hidden_size=decoder["hidden_size"],
        kv_layers=decoder["num_hidden_layers"],
        kv_heads=decoder["num_key_value_heads"],
        head_size=decoder["head_size"],
        vocab_size=model["vocab_size"],
        context_length=spec.context_length,
        heads=decoder["num_attention_heads"],
        tied_embeddings=True,
    )
    return shape, spec.path


def test_a_real_worker_takes_about_what_was_planned(new_pool: Callable[..., EnginePool]) -> None:
    shape, folder = pip_shape()
    pool: EnginePool = new_pool(options=EngineOptions(threads=1, max_batch=1))
    with pool.acquire(make_spec("onnx", folder)) as engine:
        assert isinstance(engine, WorkerEngine)
        list(engine.generate(Prompt((), tuple(range(20, 320))), SamplingParams(temperature=0.0, max_tokens=20)))
        taken = engine.memory_bytes()
    files = sum(file.stat().st_size for file in folder.glob("model.onnx*"))
    need = Need(shape=shape, runtime=RUNTIMES["onnx", "cpu"], context_length=320, weights_bytes=files)
    assert 0.6 < taken / need.total(320) < 1.1
