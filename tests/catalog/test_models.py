"""Every row of the shipped catalogue: complete, of the right form, and in accord with the models' configurations.

`configs.json` holds, for the rows whose configuration is known, what their `config.json` says of sizes. Rows that are
not in it have round numbers of weights, or a configuration that nobody could look up.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from playground.catalog.catalog import SHIPPED, Catalog
from playground.catalog.memory_plan import RUNTIMES, Need
from playground.catalog.spec import AUTO, ModelSpec
from playground.engines.registry import ENGINES, check_engine, kind_of
from playground.engines.shapes import read_shape
from playground.errors import ModelLoadError

CATALOG = Catalog.load()
ROWS = [spec for spec in CATALOG if spec.engine == AUTO]
CONFIGS: dict[str, dict[str, Any]] = json.loads(SHIPPED[1].with_name("configs.json").read_text(encoding="utf-8"))
DOCS = Path(__file__).parents[2] / "docs/models.md"
SPDX = {"Apache-2.0", "MIT", "BSD-3-Clause", "CC-BY-NC-SA-4.0"}
NAMED = {"Gemma", "Llama-2", "Llama-3", "Llama-3.2", "LFM-Open-1.0", "DeepSeek", "SeaLLMs"}
TASKS = {"chat", "reasoning", "maths", "code", "medicine", "completion", "guard"}
TAGS = {"small", "cpu", "gpu", "guard"}
VIETNAMESE = re.compile("[ăâđêôơưàáạảãèéẹẻẽìíịỉĩòóọỏõùúụủũỳýỵỷỹ]", re.IGNORECASE)

each_row = pytest.mark.parametrize("spec", ROWS, ids=lambda spec: spec.id)


@each_row
def test_form(spec: ModelSpec) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9.-]*", spec.id)
    assert spec.licence in SPDX | NAMED
    assert spec.languages
    assert all(re.fullmatch("[a-z]{2}", code) for code in spec.languages)
    assert set(spec.tasks) <= TASKS
    assert spec.tasks
    assert set(spec.tags) <= TAGS
    assert ("guard" in spec.tags) == ("guard" in spec.tasks)
    assert spec.size_bytes == 0
    assert spec.path is None


@each_row
def test_descriptions_are_one_line_in_each_language(spec: ModelSpec) -> None:
    for text in spec.description.values():
        assert "\n" not in text
        assert 30 < len(text) < 260
        assert text.endswith(".")
    assert VIETNAMESE.search(spec.description["vi"])
    assert not VIETNAMESE.search(spec.description["en"])


@each_row
def test_source(spec: ModelSpec) -> None:
    assert spec.source is not None
    assert spec.source.format == "transformers"
    assert spec.source.revision == "main" or re.fullmatch("[0-9a-f]{40}", spec.source.revision)
    assert spec.link == f"https://huggingface.co/{spec.source.repo}"


@each_row
def test_either_an_engine_runs_it_or_a_reason_is_given(spec: ModelSpec) -> None:
    assert set(spec.engines) <= set(ENGINES)
    assert bool(spec.engines) != bool(spec.unavailable)
    assert spec.offered == (not spec.unavailable and "guard" not in spec.tags)


@each_row
def test_thinking_models_name_their_tags(spec: ModelSpec) -> None:
    thinks = "reasoning" in spec.tasks or spec.family == "Qwen3.5"
    assert spec.reasoning_tags == (("<think>", "</think>") if thinks else None)


@each_row
def test_sizes_are_plausible(spec: ModelSpec) -> None:
    assert 10**8 < spec.parameters < 13 * 10**9
    named = re.search(r"(\d+(?:\.\d+)?)([MB])\b", spec.name)
    if named and spec.family != "Gemma 4":
        size = float(named[1]) * {"M": 10**6, "B": 10**9}[named[2]]
        assert 0.85 < spec.parameters / size < 1.7
    assert 1024 <= spec.context_length <= 262_144


@pytest.mark.parametrize("model_id", CONFIGS)
def test_rows_agree_with_their_configurations(model_id: str) -> None:
    spec, shape = CATALOG.get(model_id), read_shape(CONFIGS[model_id])
    assert spec.parameters == shape.parameters
    assert spec.context_length <= shape.context_length
    need = Need(shape=shape, runtime=RUNTIMES["onnx", "cpu"], context_length=2048, precision="int4")
    assert 0.5 < need.weights() / spec.parameters < 4.5


def test_ids_and_repositories_are_there_once() -> None:
    for values in ([spec.id for spec in CATALOG], [spec.source.repo for spec in ROWS if spec.source]):
        assert len(values) == len(set(values))
    assert all(file.is_file() for file in SHIPPED)


def test_a_model_whose_files_are_not_here_is_refused_in_words() -> None:
    for spec in ROWS:
        check_engine(spec)
        with pytest.raises(ModelLoadError, match="is not on this machine yet"):
            kind_of(spec)


def table() -> list[list[str]]:
    lines = DOCS.read_text(encoding="utf-8").split("<!-- families -->\n")[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_documents_table_equals_the_rows() -> None:
    families = list(dict.fromkeys(spec.family for spec in ROWS))
    assert [cells[0] for cells in table()] == families
    for family, ids, _, engines, *_ in table():
        rows = [spec for spec in ROWS if spec.family == family]
        assert ids == ", ".join(f"`{spec.id}`" for spec in rows)
        assert engines == (", ".join(rows[0].engines) or "none")
        assert all(spec.engines == rows[0].engines for spec in rows)


def test_the_documents_architectures_are_those_of_transformers() -> None:
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES  # noqa: PLC0415

    for family, _, architecture, *_ in table():
        assert architecture.strip("`") in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values()
        for spec in ROWS:
            config = CONFIGS.get(spec.id)
            if spec.family == family and config is not None:
                inner = config.get("text_config", config)
                assert MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[inner["model_type"]] == architecture.strip("`")
