"""A further input of a converted graph: for how many of the last tokens logits are wanted.

Reading a prompt needs the logits after its last token only. A graph that computes them for every token spends a fifth
of its work on numbers that nobody reads (135M weights, 49,000 tokens), and their size limits how many tokens are read
at once. The input is the one that graphs of `onnx-community` have: 0 means all.
"""

from __future__ import annotations

from typing import Any

from playground.engines.graph_signature import LOGITS_TO_KEEP
from playground.engines.model_files import ModelFiles

_PRODUCTS = frozenset({"MatMul", "MatMulNBits"})
# What may follow the product: works on every value by itself.
_BY_VALUE = frozenset({"Add", "Cast", "Div", "Mul", "Sub", "Tanh", "Where"})
_START, _END, _AXIS = (f"{LOGITS_TO_KEEP}/{name}" for name in ("start", "end", "axis"))
_AXIS_OF_TOKENS = 1
_BEHIND_ALL = 2**63 - 1


def add_wanted_logits(files: ModelFiles) -> bool:
    """Rewrite the graph's file; its weights beside it stay as they are.

    Returns whether the graph has the input now. It does not when its logits are not [rows, tokens, vocabulary] from a
    product with a matrix; such a graph goes on computing the logits of every token.
    """
    import onnx  # noqa: PLC0415

    model = onnx.load(files.graph, load_external_data=False)
    graph = model.graph
    if any(item.name == LOGITS_TO_KEEP for item in graph.input):
        return True
    output = next(item for item in graph.output if item.name == files.names.logits)
    path = _path_to_product(graph, output.name)
    dimensions = output.type.tensor_type.shape.dim
    if path is None or len(dimensions) != 3:
        return False
    _slice_before(graph, path[-1])
    # Shapes said of what lies behind the slice no longer hold; onnxruntime infers them again.
    stale = {name for node in path for name in node.output}
    for value in [value for value in graph.value_info if value.name in stale]:
        graph.value_info.remove(value)
    dimensions[_AXIS_OF_TOKENS].Clear()
    dimensions[_AXIS_OF_TOKENS].dim_param = LOGITS_TO_KEEP
    onnx.save(model, files.graph)
    return True


def _path_to_product(graph: Any, name: str) -> list[Any] | None:
    """The nodes from the logits back to the product with the vocabulary's matrix; None when there is something else."""
    makers = {output: node for node in graph.node for output in node.output}
    path: list[Any] = []
    while name in makers:
        node = makers[name]
        path.append(node)
        if node.op_type in _PRODUCTS:
            return path
        made = [given for given in node.input if given in makers and makers[given].op_type != "Constant"]
        if node.op_type not in _BY_VALUE or len(made) != 1:
            return None
        name = made[0]
    return None


def _slice_before(graph: Any, product: Any) -> None:
    import onnx  # noqa: PLC0415

    integers = onnx.TensorProto.INT64
    hidden, kept = product.input[0], f"{LOGITS_TO_KEEP}/hidden"
    graph.input.append(onnx.helper.make_tensor_value_info(LOGITS_TO_KEEP, integers, []))
    for name, value in ((_END, _BEHIND_ALL), (_AXIS, _AXIS_OF_TOKENS), (f"{_START}/axis", 0)):
        graph.initializer.append(onnx.helper.make_tensor(name, integers, [1], [value]))
    nodes = [
        onnx.helper.make_node("Neg", [LOGITS_TO_KEEP], [f"{_START}/of"], f"{LOGITS_TO_KEEP}/Neg"),
        onnx.helper.make_node("Unsqueeze", [f"{_START}/of", f"{_START}/axis"], [_START], f"{LOGITS_TO_KEEP}/Unsqueeze"),
        onnx.helper.make_node("Slice", [hidden, _START, _END, _AXIS], [kept], f"{LOGITS_TO_KEEP}/Slice"),
    ]
    product.input[0] = kept
    place = next(index for index, node in enumerate(graph.node) if node.output[0] == product.output[0])
    for node in reversed(nodes):
        graph.node.insert(place, node)
