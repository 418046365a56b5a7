"""What is wrong is refused: every fault of the builder that this project corrects, and damage of other kinds."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from playground.engines.conversion import builder_route
from playground.engines.conversion.request import ConversionRequest
from playground.engines.conversion.routes import ROUTES, Route
from playground.errors import ModelLoadError
from tests.engines.conversion.conftest import Converted, run_quietly

ONLY_BUILDER = {"model builder": ROUTES["model builder"]}


@contextmanager
def uncorrected(builder: Any, config: Any) -> Iterator[None]:
    del builder, config
    yield


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("olmo", "fp32"),
        ("olmo", "int4"),
        ("mistral", "fp32"),
        ("mistral", "int4"),
        ("smollm3", "fp32"),
        ("gemma3", "fp32"),
    ],
)
def test_without_corrections_the_builder_is_refused(
    name: str, precision: str, checkpoint: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder_route, "corrected", uncorrected)
    monkeypatch.setattr(builder_route, "set_windows", lambda *_: None)
    with pytest.raises(ModelLoadError, match=r"off by|cannot convert"):
        run_quietly(ConversionRequest(checkpoint(name), tmp_path / "model", precision), ONLY_BUILDER)
    assert not (tmp_path / "model").exists()


def test_the_next_route_is_tried_and_the_reason_is_kept(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    def refuse(request: ConversionRequest, folder: Path) -> None:
        (folder / "half").touch()
        raise ModelLoadError("It is Monday.")

    routes = {"no way": Route(refuse, shares_embedding=False), **ONLY_BUILDER}
    report = run_quietly(ConversionRequest(checkpoint("llama3"), tmp_path / "model", "int8"), routes)
    assert report.route == "model builder"
    assert report.refused == {"no way": "It is Monday."}
    assert not (tmp_path / "model" / "half").exists()


@pytest.mark.parametrize("change", ["one weight", "one norm"])
def test_one_changed_tensor_is_noticed(
    change: str, converted: Converted, checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    import onnx  # noqa: PLC0415

    name = {"one weight": "layers.1.mlp.up_proj", "one norm": "layers.1.post_attention_layernorm"}[change]

    def damage(request: ConversionRequest, folder: Path) -> None:
        ROUTES["model builder"].make(request, folder)
        model = onnx.load(folder / "model.onnx")
        tensor = next(item for item in model.graph.initializer if name in item.name)
        values = np.array(onnx.numpy_helper.to_array(tensor))
        tensor.CopyFrom(onnx.numpy_helper.from_array(np.flip(values, 0).copy(), tensor.name))
        (folder / "model.onnx.data").unlink()
        onnx.save(model, folder / "model.onnx")

    routes = {"damage": Route(damage, shares_embedding=True)}
    with pytest.raises(ModelLoadError, match="off by"):
        run_quietly(ConversionRequest(checkpoint("llama3"), tmp_path / "model", "fp32"), routes)


def test_checkpoints_that_cannot_be_read(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    source = checkpoint("llama3")
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    broken = {
        "unknown": (
            config | {"model_type": "nothing", "auto_map": {"AutoModelForCausalLM": "m.M"}},
            "its own|own",
        ),
        "quantised": (config | {"quantization_config": {"quant_method": "gptq", "bits": 4}}, "quantised already"),
    }
    for kind, (content, reason) in broken.items():
        folder = tmp_path / kind
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(content), encoding="utf-8")
        (folder / "model.safetensors").write_bytes((source / "model.safetensors").read_bytes())
        with pytest.raises(ModelLoadError, match=reason):
            run_quietly(ConversionRequest(folder, tmp_path / "model", "fp32"))
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (damaged / "model.safetensors").write_bytes((source / "model.safetensors").read_bytes()[:5000])
    with pytest.raises(ModelLoadError):
        run_quietly(ConversionRequest(damaged, tmp_path / "model", "fp32"))


def test_the_builder_is_left_as_it_was() -> None:
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        from onnxruntime_genai.models import builder  # noqa: PLC0415

    from playground.engines.conversion.corrections import corrected  # noqa: PLC0415

    class Config:
        architectures = ("OlmoForCausalLM",)

    before = builder.OLMoModel.make_layernorm
    with corrected(builder, Config()):
        assert builder.OLMoModel.make_layernorm is not before
    assert builder.OLMoModel.make_layernorm is before
