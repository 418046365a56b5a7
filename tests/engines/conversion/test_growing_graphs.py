"""Graphs whose keys and values grow, in folders without genai_config.json: chosen, batched or not, and cancelled."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from playground.catalog.spec import ModelSource
from playground.domain import SamplingParams
from playground.engines.contract import EngineOptions, Prompt
from playground.engines.growing_runner import GrowingRunner
from playground.engines.local_engine import LocalEngine
from playground.engines.model_files import read_model_files
from playground.engines.onnx_engine import load_onnx_engine
from playground.errors import ModelLoadError
from tests.engines.conftest import make_spec
from tests.engines.conversion.conftest import Converted
from tests.engines.conversion.test_families import ask, prompt_of, reference

PROMPTS = [prompt_of(length) for length in (1, 30, 12, 70)]


@pytest.fixture(scope="session")
def expected(checkpoint: Callable[[str], Path]) -> list[list[int]]:
    greedy = reference(checkpoint("gpt2"))
    return [greedy(prompt) for prompt in PROMPTS]


def load(folder: Path, variant: str = "") -> LocalEngine:
    spec = replace(make_spec("onnx", folder), source=ModelSource(variant=variant))
    return load_onnx_engine(spec, EngineOptions(threads=1, max_batch=4), lambda _: None)


def answers_together(engine: LocalEngine) -> list[list[int]]:
    with ThreadPoolExecutor(len(PROMPTS)) as threads:
        return list(threads.map(lambda prompt: ask(engine, prompt)[0], PROMPTS))


def test_rows_run_together_where_padding_changes_nothing(converted: Converted) -> None:
    files = read_model_files(converted("gpt2"))
    assert GrowingRunner(files, EngineOptions(threads=1, max_batch=2), 64).ragged


def test_rows_run_one_by_one_where_it_does(
    converted: Converted, expected: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GrowingRunner, "_bears_padding", lambda _: False)
    with closing(load(converted("gpt2"))) as engine:
        assert answers_together(engine) == expected


def test_after_cancelled_neighbours(converted: Converted, expected: list[list[int]]) -> None:
    with closing(load(converted("gpt2"))) as engine:
        started = threading.Barrier(4)

        def leave_early(prompt: list[int]) -> None:
            stream = engine.generate(Prompt((), tuple(prompt)), SamplingParams(temperature=0.0, max_tokens=300))
            next(stream)
            started.wait(20)
            stream.close()  # type: ignore[attr-defined]

        def stay() -> list[int]:
            params = SamplingParams(temperature=0.0, max_tokens=20, logprobs=0)
            stream = engine.generate(Prompt((), tuple(PROMPTS[1])), params)
            deltas = [next(stream)]
            started.wait(20)
            return [item.token_id for delta in [*deltas, *stream] for item in delta.logprobs]

        with ThreadPoolExecutor(4) as threads:
            staying = threads.submit(stay)
            for job in [threads.submit(leave_early, PROMPTS[at]) for at in (0, 2, 3)]:
                job.result(30)
            assert staying.result(30) == expected[1]
        assert [ask(engine, prompt)[0] for prompt in PROMPTS] == expected


def test_inputs_of_merged_decoders(converted: Converted, expected: list[list[int]], tmp_path: Path) -> None:
    import onnx  # noqa: PLC0415

    folder = tmp_path / "merged"
    shutil.copytree(converted("gpt2"), folder)
    graph = folder / "onnx" / "model.onnx"
    model = onnx.load(graph, load_external_data=False)
    model.graph.input.append(onnx.helper.make_tensor_value_info("use_cache_branch", onnx.TensorProto.BOOL, [1]))
    assert "num_logits_to_keep" in {item.name for item in model.graph.input}
    onnx.save(model, folder / "onnx" / "decoder_model_merged.onnx")
    graph.unlink()
    with closing(load(folder)) as engine:
        assert answers_together(engine) == expected


def test_the_quantisation_is_chosen(converted: Converted, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    shutil.copytree(converted("gpt2"), folder)
    for name in ("model_fp16", "model_q4"):
        shutil.copyfile(folder / "onnx" / "model.onnx", folder / "onnx" / f"{name}.onnx")
    assert read_model_files(folder).graph.name == "model_q4.onnx"
    assert read_model_files(folder, "fp32").graph.name == "model.onnx"
    assert read_model_files(folder, "fp16").graph.name == "model_fp16.onnx"
    with pytest.raises(ModelLoadError, match=r"no graph bnb4; there are: q4, fp32, fp16\. Choose"):
        load(folder, "bnb4")
    shutil.rmtree(folder / "onnx")
    with pytest.raises(ModelLoadError, match="it has no graph at all"):
        load(folder)


def test_graphs_that_lead_out_of_the_folder_are_not_loaded(converted: Converted, tmp_path: Path) -> None:
    folder = tmp_path / "linked"
    shutil.copytree(converted("gpt2"), folder)
    graph = folder / "onnx" / "model.onnx"
    graph.rename(tmp_path / "outside.onnx")
    graph.symlink_to(tmp_path / "outside.onnx")
    with pytest.raises(ModelLoadError, match="lies outside"):
        load(folder)
