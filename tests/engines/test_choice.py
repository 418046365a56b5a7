"""Which engine a model gets on which machine, and that finding out loads nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from playground.catalog.catalog import Catalog
from playground.catalog.spec import AUTO
from playground.engines.choice import EngineChoice, Setup, choose_device, choose_engine, read_setup
from playground.errors import ModelLoadError
from tests.engines.conftest import make_spec

LAPTOP = Setup()
CARD = Setup(cuda=True, cuda_engines=frozenset({"torch"}))
FULL_CARD = Setup(cuda=True, cuda_engines=frozenset({"torch", "onnx"}))
BARE_CARD = Setup(cuda=True)
BOTH = replace(make_spec(AUTO), engines=("onnx", "torch"), parameters=1_000_000_000)


@pytest.mark.parametrize(
    ("changes", "setup", "wanted", "expected"),
    [
        ({}, LAPTOP, "auto", EngineChoice("onnx", "cpu", "int4", "best")),
        ({}, CARD, "auto", EngineChoice("torch", "cuda", "bf16", "cuda")),
        ({}, FULL_CARD, "auto", EngineChoice("onnx", "cuda", "fp16", "cuda")),
        ({}, BARE_CARD, "auto", EngineChoice("onnx", "cpu", "int4", "no_cuda")),
        ({}, FULL_CARD, "cpu", EngineChoice("onnx", "cpu", "int4", "best")),
        ({}, CARD, "cuda", EngineChoice("torch", "cuda", "bf16", "cuda")),
        ({"parameters": 135_000_000}, LAPTOP, "auto", EngineChoice("onnx", "cpu", "int8", "best")),
        ({"engines": ("torch",)}, LAPTOP, "auto", EngineChoice("torch", "cpu", "fp32", "only")),
        ({"engine": "torch"}, LAPTOP, "auto", EngineChoice("torch", "cpu", "fp32", "only")),
        ({"engine": "onnx"}, CARD, "auto", EngineChoice("onnx", "cpu", "int4", "no_cuda")),
        ({"engine_options": {"quantization": "int4"}}, CARD, "auto", EngineChoice("torch", "cuda", "int4", "cuda")),
        ({"engine_options": {"dtype": "fp32"}}, CARD, "auto", EngineChoice("torch", "cuda", "fp32", "cuda")),
        ({"engine": "echo"}, FULL_CARD, "auto", EngineChoice("echo", None, "", "only")),
        ({"engine": "echo"}, LAPTOP, "cuda", EngineChoice("echo", None, "", "only")),
    ],
)
def test_choices(changes: dict[str, Any], setup: Setup, wanted: Any, expected: EngineChoice) -> None:
    assert choose_engine(replace(BOTH, **changes), setup, wanted) == expected


def test_files_made_for_the_cpu_stay_there() -> None:
    pip = Catalog.load().get("pip")
    assert choose_engine(pip, FULL_CARD) == EngineChoice("onnx", "cpu", "int8", "no_cuda")
    with pytest.raises(ModelLoadError, match="int8 files are made for the CPU"):
        choose_engine(pip, FULL_CARD, "cuda")


@pytest.mark.parametrize(
    ("changes", "setup", "sentence"),
    [
        ({}, LAPTOP, r"no NVIDIA driver here\. Set device"),
        ({}, BARE_CARD, "onnx and torch is not built for CUDA"),
        ({"engines": ("onnx",)}, CARD, "onnx is not built for CUDA"),
        ({"engine": "steam"}, LAPTOP, "names an engine steam; there are: echo, onnx"),
        ({"engines": ()}, LAPTOP, "names no engine; there are: echo"),
    ],
)
def test_what_cannot_be_had_is_named(changes: dict[str, Any], setup: Setup, sentence: str) -> None:
    with pytest.raises(ModelLoadError, match=sentence):
        choose_engine(replace(BOTH, **changes), setup, "cuda")


def test_the_device_of_a_row_that_names_its_engine() -> None:
    assert choose_device(CARD, "auto", replace(BOTH, engine="torch")) == "cuda"
    assert choose_device(CARD, "auto", replace(BOTH, engine="onnx")) == "cpu"
    assert choose_device(CARD, "cuda", replace(BOTH, engine="echo")) == "cpu"


def test_drivers_and_builds_are_seen_by_their_files(tmp_path: Path) -> None:
    packages = tmp_path / "site-packages"
    for file in ("torch/lib/libtorch_cuda.so", "onnxruntime/capi/onnxruntime.so"):
        (packages / file).parent.mkdir(parents=True)
        (packages / file).touch()
    assert read_setup(tmp_path, lambda name: packages / name) == Setup(False, frozenset({"torch"}))
    (tmp_path / "proc/driver/nvidia").mkdir(parents=True)
    (tmp_path / "proc/driver/nvidia/version").touch()
    assert read_setup(tmp_path, lambda name: packages / name) == Setup(True, frozenset({"torch"}))
    assert read_setup(tmp_path, lambda _: None) == Setup(True, frozenset())


def test_finding_out_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from playground.engines.choice import read_setup\n"
        "read_setup()\n"
        "heavy = {'torch', 'transformers', 'onnxruntime', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=True, timeout=60)
