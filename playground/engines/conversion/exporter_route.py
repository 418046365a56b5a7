"""The second route: `transformers`' own exporter, for what the model builder does not know.

Its graphs return keys and values that grow. Inputs and outputs get the names that `onnx-community` repositories use, so
that one reader serves both (`config.json`, `onnx/model.onnx`).
"""

from __future__ import annotations

import inspect
import re
import shutil
from pathlib import Path
from typing import Any

from playground.engines.conversion.checkpoint import copy_texts, load_model
from playground.engines.conversion.kept_weights import BITS
from playground.engines.conversion.last_logits import add_last_logits
from playground.engines.conversion.request import ConversionRequest
from playground.engines.conversion.weights import fold_weights, quantise_weights
from playground.engines.model_files import GRAPHS_FOLDER, VARIANTS
from playground.errors import ModelLoadError

_CACHE_NAME = re.compile(r"(?:past_key_values|cache)\.layers\.(\d+)\.(key|value)s")


def convert_with_exporter(request: ConversionRequest, folder: Path) -> None:
    """Write the folder. Raises ModelLoadError when the architecture cannot be exported."""
    if request.precision == "fp16" and request.device == "cpu":
        raise ModelLoadError("Graphs in fp16 compute on CUDA only. Choose int8 or fp32 for the CPU.")
    model = load_model(request.source, "float16" if request.precision == "fp16" else "float32")
    try:
        program = _export(model)
    except MemoryError:
        raise
    except Exception as error:  # torch and onnxscript raise whatever their parts raise
        raise ModelLoadError(f"transformers cannot export it ({type(error).__name__}: {error!s:.120}).") from error
    del model
    _rename(program.graph)
    fold_weights(program.graph)
    graph = folder / GRAPHS_FOLDER / VARIANTS["fp32"]
    graph.parent.mkdir()
    bits = BITS.get(request.precision)
    if bits is None:
        _save(program, graph)
    else:
        quantise_weights(program, graph, bits)
    add_last_logits(graph)
    shutil.copyfile(request.source / "config.json", folder / "config.json")
    copy_texts(request.source, folder)


def _export(model: Any) -> Any:
    """The graph, from a sample with a past; every length is free."""
    import torch  # noqa: PLC0415
    from transformers.cache_utils import DynamicCache  # noqa: PLC0415
    from transformers.exporters.configs import OnnxConfig  # noqa: PLC0415
    from transformers.exporters.exporter_onnx import OnnxExporter  # noqa: PLC0415

    free = torch.export.Dim.AUTO
    with torch.no_grad():
        # Without the model's configuration every layer keeps the whole past, also those that look back on a window of
        # it: the mask hides the rest, and all layers are of one length.
        past = DynamicCache()
        model(input_ids=torch.ones((2, 7), dtype=torch.long), past_key_values=past, use_cache=True)
        if not all(hasattr(layer, "keys") for layer in past.layers):
            raise TypeError("layers without keys and values")
        inputs: dict[str, Any] = {
            "input_ids": torch.ones((2, 3), dtype=torch.long),
            "attention_mask": torch.ones((2, 10), dtype=torch.long),
            "past_key_values": past,
        }
        shapes: dict[str, Any] = {
            "input_ids": {0: free, 1: free},
            "attention_mask": {0: free, 1: free},
            "past_key_values": [{0: free, 2: free} for _ in range(2 * len(past.layers))],
        }
        if "position_ids" in inspect.signature(model.forward).parameters:
            inputs["position_ids"] = torch.arange(7, 10)[None].repeat(2, 1)
            shapes["position_ids"] = {0: free, 1: free}
        exporter: Any = OnnxExporter
        exported = exporter().export(
            model, inputs | {"use_cache": True}, OnnxConfig(dynamic=True, dynamic_shapes=shapes)
        )
    return exported.program


def _rename(graph: Any) -> None:
    for group, prefix in ((graph.inputs, "past_key_values"), (graph.outputs, "present")):
        for value in group:
            match = _CACHE_NAME.fullmatch(value.name)
            if match is not None:
                value.name = f"{prefix}.{match[1]}.{match[2]}"


def _save(program: Any, graph: Path) -> None:
    import onnx_ir  # noqa: PLC0415

    onnx_ir.save(program, str(graph), external_data=f"{graph.name}.data")
