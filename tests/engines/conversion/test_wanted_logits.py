"""Graphs that compute logits only where they are wanted, and what cannot be changed that way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from playground.engines.contract import EngineOptions
from playground.engines.conversion.wanted_logits import add_wanted_logits
from playground.engines.graph_signature import LOGITS_TO_KEEP, MAX_CHUNK
from playground.engines.model_files import ModelFiles, read_model_files
from playground.engines.runners import load_runner
from tests.engines.conversion.conftest import Converted

FLOAT = onnx.TensorProto.FLOAT


@pytest.mark.parametrize(("family", "precision"), [("llama2", "fp32"), ("llama2", "int4"), ("gpt2", "fp32")])
def test_the_last_logits_are_those_of_all(family: str, precision: str, converted: Converted) -> None:
    """Of the builder's graphs and of the exporter's."""
    runner = load_runner(read_model_files(converted(family, precision)), EngineOptions(threads=1, max_batch=1), 64)
    prompt = [int(token) for token in np.random.default_rng(3).integers(10, 450, 20)]
    every = runner.prefill(0, 0, prompt, every=True).copy()
    last = runner.prefill(1, 0, prompt)
    assert (len(every), len(last)) == (20, 1)
    np.testing.assert_allclose(last[0], every[-1], rtol=1e-4, atol=1e-5)
    assert runner.chunk == MAX_CHUNK


def test_a_graph_is_changed_once(converted: Converted) -> None:
    files = read_model_files(converted("llama2"))
    before = files.graph.read_bytes()
    assert add_wanted_logits(files)
    assert files.graph.read_bytes() == before


def make_graph(folder: Path, *nodes: Any, logits: tuple[object, ...] = ("rows", "tokens", 4)) -> ModelFiles:
    hidden = onnx.helper.make_tensor_value_info("hidden", FLOAT, ["rows", "tokens", 3])
    weights = onnx.numpy_helper.from_array(np.arange(12, dtype=np.float32).reshape(3, 4), "weights")
    output = onnx.helper.make_tensor_value_info("logits", FLOAT, list(logits))
    graph = onnx.helper.make_graph(list(nodes), "head", [hidden], [output], [weights])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)]), folder / "model.onnx")
    return ModelFiles(folder=folder, graph=folder / "model.onnx", context_length=8, eos_ids=())


def test_what_follows_the_product_stays(tmp_path: Path) -> None:
    """Logits that are bounded, as in Gemma 2."""
    import onnxruntime  # noqa: PLC0415

    make = onnx.helper.make_node
    files = make_graph(tmp_path, make("MatMul", ["hidden", "weights"], ["raw"]), make("Tanh", ["raw"], ["logits"]))
    values = np.linspace(-0.1, 0.1, 15, dtype=np.float32).reshape(1, 5, 3)
    whole = onnxruntime.InferenceSession(files.graph).run(None, {"hidden": values})[0]
    assert add_wanted_logits(files)
    session = onnxruntime.InferenceSession(files.graph)
    for wanted, start in ((0, 0), (1, 4), (2, 3), (5, 0), (9, 0)):
        kept = session.run(None, {"hidden": values, LOGITS_TO_KEEP: np.array(wanted, np.int64)})[0]
        np.testing.assert_allclose(kept, whole[:, start:])


def test_other_graphs_stay_as_they_are(tmp_path: Path) -> None:
    make = onnx.helper.make_node
    product = make("MatMul", ["hidden", "weights"], ["raw"])
    turned = make_graph(tmp_path, product, make("Softmax", ["raw"], ["logits"], axis=1))
    before = turned.graph.read_bytes()
    assert not add_wanted_logits(turned)
    assert turned.graph.read_bytes() == before
    flat = make_graph(tmp_path, make("MatMul", ["hidden", "weights"], ["logits"]), logits=("places", 4))
    assert not add_wanted_logits(flat)
    assert not add_wanted_logits(make_graph(tmp_path, make("Tanh", ["hidden"], ["logits"])))
