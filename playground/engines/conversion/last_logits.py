"""Lets a graph be asked for the last token's logits alone.

While a prompt is read nobody looks at the logits of its inner tokens, and with large vocabularies they are a good part
of the work and most of the memory. The input is called as in `onnx-community` graphs: 0 asks for all logits.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playground.engines.graph_signature import LOGITS_TO_KEEP
from playground.errors import ModelLoadError

_PRODUCTS = ("MatMul", "MatMulNBits", "Gemm")
# What models do to their logits: scale, cap, shift, change type.
_ELEMENTWISE = ("Mul", "Div", "Add", "Tanh", "Cast", "Identity")


def add_last_logits(path: Path) -> None:
    """Give the graph the input `num_logits_to_keep`; its weights stay where they are.

    Raises ModelLoadError when the product that makes the logits is not found.
    """
    import onnx  # noqa: PLC0415
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415

    model = onnx.load(path, load_external_data=False)
    graph = model.graph
    node = _logits_product(graph)
    kept, minus, axis, end = (f"{LOGITS_TO_KEEP}.{part}" for part in ("flat", "start", "axis", "end"))
    flat = helper.make_node("Reshape", [LOGITS_TO_KEEP, axis], [kept])
    negative = helper.make_node("Neg", [kept], [minus])
    hidden = node.input[0]
    cut = helper.make_node("Slice", [hidden, minus, end, axis], [f"{hidden}.kept"])
    node.input[0] = cut.output[0]
    for name, number in ((axis, 1), (end, 2**62)):
        graph.initializer.append(numpy_helper.from_array(_numbers(number), name))
    graph.input.append(helper.make_tensor_value_info(LOGITS_TO_KEEP, TensorProto.INT64, []))
    place = list(graph.node).index(node)
    for offset, made in enumerate((flat, negative, cut)):
        graph.node.insert(place + offset, made)
    output = next(item for item in graph.output if item.name == "logits")
    output.type.tensor_type.shape.dim[1].dim_param = "kept_length"
    del graph.value_info[:]  # lengths after the cut are others now
    onnx.save(model, path)


def _logits_product(graph: Any) -> Any:
    makers = {name: node for node in graph.node for name in node.output}
    constants = {item.name for item in graph.initializer}
    node = makers.get("logits")
    while node is not None and node.op_type in _ELEMENTWISE:
        computed = [name for name in node.input if name in makers and name not in constants]
        inner = [name for name in computed if makers[name].op_type != "Constant"]
        node = makers[inner[0]] if inner else None
    if node is None or node.op_type not in _PRODUCTS:
        raise ModelLoadError("The product that makes the logits is not found in the graph.")
    return node


def _numbers(number: int) -> Any:
    import numpy as np  # noqa: PLC0415

    return np.array([number], np.int64)
