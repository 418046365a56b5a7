"""Rows of the catalogue against machines of every size, before and after their files are here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from playground.catalog.catalog import Catalog
from playground.catalog.machine import Gpu, Machine, Memory
from playground.catalog.memory_plan import Verdict
from playground.catalog.spec import AUTO
from playground.engines.choice import EngineChoice
from playground.engines.contract import EngineOptions
from playground.engines.memory_check import check_memory, need_of, plan_for, shape_of
from playground.errors import ModelLoadError, OutOfMemory
from tests.engines.conftest import make_spec

GIB = 2**30
CATALOG = Catalog.load()
ON_CPU = EngineChoice("onnx", "cpu", "int4", "best")
ON_CARD = EngineChoice("torch", "cuda", "bf16", "best")
OPTIONS = EngineOptions()


def machine(free: float, card: float | None = None) -> Machine:
    gpu = None if card is None else Gpu("Card", Memory(int(card * GIB), int(card * GIB)))
    return Machine(Memory(int(free * GIB), int(free * GIB)), gpu)


@pytest.mark.parametrize(
    ("model_id", "free", "verdict"),
    [
        ("smollm2-135m", 1.5, Verdict.FITS),
        ("qwen3-0.6b", 4, Verdict.FITS),
        ("qwen3-4b", 7, Verdict.FITS),
        ("llama2-7b", 9, Verdict.FITS),
        ("qwen3-4b", 4.5, Verdict.FITS_WITH_LESS_CONTEXT),
    ],
)
def test_models_that_are_not_here_yet_are_planned_from_the_catalogue(
    model_id: str, free: float, verdict: Verdict
) -> None:
    made = check_memory(CATALOG.get(model_id), ON_CPU, OPTIONS, machine(free))
    assert made is not None
    assert made.verdict is verdict
    assert made.total_bytes <= free * GIB
    assert made.kv_bytes <= OPTIONS.kv_cache_mb * 2**20


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(OutOfMemory, match="Qwen3 8B needs about"):
        check_memory(CATALOG.get("qwen3-8b"), ON_CPU, OPTIONS, machine(4))
    with pytest.raises(OutOfMemory, match="precision int4"):
        check_memory(CATALOG.get("qwen3-4b"), replace(ON_CPU, precision="fp32"), OPTIONS, machine(6))
    with pytest.raises(OutOfMemory, match="after the models that are loaded"):
        check_memory(CATALOG.get("qwen3-4b"), ON_CPU, OPTIONS, machine(1), loaded_bytes=8 * GIB)


def test_the_card_counts_where_it_computes() -> None:
    spec = CATALOG.get("qwen3-8b")
    made = check_memory(spec, ON_CARD, OPTIONS, machine(1, card=24))
    assert made is not None
    assert made.free_bytes == 24 * GIB
    with pytest.raises(OutOfMemory):
        check_memory(spec, ON_CARD, OPTIONS, machine(64, card=8))


def test_every_row_with_a_configuration_has_a_need() -> None:
    unknown = {spec.id for spec in CATALOG if spec.engine == AUTO and need_of(spec, ON_CPU, OPTIONS) is None}
    assert unknown == {
        "vinallama-2.7b",
        "vinallama-7b",
        "sailor2-1b",
        "sailor2-8b",
        "openassistant-12b",
        "openmath-mistral-7b",
        "llama-guard-3-1b",
    }


def test_what_ships_fits_and_what_is_elsewhere_is_not_asked() -> None:
    for name in ("pip", "pip-fp32"):
        made = check_memory(CATALOG.get(name), replace(ON_CPU, precision="int8"), OPTIONS, machine(1))
        assert made is not None
        assert made.verdict is Verdict.FITS
    echo = EngineChoice("echo", None, "", "only")
    assert plan_for(CATALOG.get("echo"), echo, OPTIONS, machine(1)) is None
    assert plan_for(CATALOG.get("qwen3-4b"), ON_CPU, OPTIONS, machine(0)) is None


def test_folders(hf_folder: Path, fp32_folder: Path, tmp_path: Path) -> None:
    in_torch = EngineChoice("torch", "cpu", "fp32", "best")
    checkpoint = need_of(make_spec("torch", hf_folder), in_torch, OPTIONS)
    halved = need_of(make_spec("torch", hf_folder), replace(in_torch, device="cuda", precision="bf16"), OPTIONS)
    converted = need_of(make_spec("onnx", fp32_folder), replace(ON_CPU, precision="fp32"), OPTIONS)
    assert checkpoint is not None
    assert converted is not None
    assert halved is not None
    assert checkpoint.weights() == 4 * checkpoint.shape.parameters == 2 * halved.weights()
    assert converted.weights() == sum(file.stat().st_size for file in fp32_folder.glob("model.onnx*"))
    assert converted.shape.kv_heads == checkpoint.shape.kv_heads == 2
    (tmp_path / "genai_config.json").write_text("{}")
    with pytest.raises(ModelLoadError, match="is damaged"):
        shape_of(make_spec("onnx", tmp_path))
