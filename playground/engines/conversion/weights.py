"""The weights of an exported graph: laid out as matrices that are multiplied, and kept in 4 or 8 bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from playground.engines.conversion.kept_weights import BLOCK

# Products are computed in 8 bits. See docs/conversion.md for how the levels compare.
ACCURACY_LEVEL = 4


def fold_weights(graph: Any) -> None:
    """Turn `Gemm` into `MatMul` and `Add`, and transpose weights once instead of in every run: only a `MatMul` with a
    constant matrix can be kept in few bits."""
    for node in list(graph):
        if node.op_type == "Gemm" and _is_plain(node):
            _split_gemm(graph, node)
    for node in list(graph):
        if node.op_type == "MatMul":
            _fold_transpose(graph, node)


def quantise_weights(program: Any, graph: Path, bits: int) -> None:
    """Save the graph with every constant matrix in blocks of `BLOCK` weights of 4 or 8 bits (`MatMulNBits`)."""
    import onnx_ir  # noqa: PLC0415
    from onnxruntime.quantization.matmul_nbits_quantizer import (  # noqa: PLC0415
        DefaultWeightOnlyQuantConfig,
        MatMulNBitsQuantizer,
    )

    settings = DefaultWeightOnlyQuantConfig(
        block_size=BLOCK, is_symmetric=True, accuracy_level=ACCURACY_LEVEL, bits=bits
    )
    quantizer = MatMulNBitsQuantizer(onnx_ir.to_proto(program), algo_config=settings)
    quantizer.process()
    quantizer.model.save_model_to_file(str(graph), use_external_data_format=True)


def _is_plain(node: Any) -> bool:
    attributes = node.attributes
    return (
        attributes.get_float("alpha", 1.0) == 1.0
        and attributes.get_float("beta", 1.0) == 1.0
        and not attributes.get_int("transA", 0)
        and node.inputs[1].const_value is not None
    )


def _split_gemm(graph: Any, node: Any) -> None:
    import onnx_ir  # noqa: PLC0415

    data, weight, *bias = node.inputs
    if node.attributes.get_int("transB", 0):
        weight = _transposed(graph, weight, (1, 0))
    product = onnx_ir.node("MatMul", [data, weight])
    nodes, result = [product], product.outputs[0]
    if bias and bias[0] is not None:
        result.type, result.shape = node.outputs[0].type, node.outputs[0].shape
        total = onnx_ir.node("Add", [result, bias[0]])
        nodes, result = [product, total], total.outputs[0]
    _replace(graph, node, nodes, result)


def _fold_transpose(graph: Any, node: Any) -> None:
    """`MatMul(x, Transpose(W))` with a constant W becomes a product with the transposed matrix."""
    producer = node.inputs[1].producer()
    if producer is None or producer.op_type != "Transpose" or producer.inputs[0].const_value is None:
        return
    order = tuple(producer.attributes["perm"].as_ints()) if "perm" in producer.attributes else (1, 0)
    if len(order) == 2:
        node.replace_input_with(1, _transposed(graph, producer.inputs[0], order))
        if not producer.outputs[0].uses():
            graph.remove(producer, safe=True)


def _transposed(graph: Any, weight: Any, order: tuple[int, ...]) -> Any:
    import onnx_ir  # noqa: PLC0415

    name = f"{weight.name}.transposed"
    if name not in graph.initializers:
        turned = np.ascontiguousarray(weight.const_value.numpy().transpose(order))
        tensor = onnx_ir.tensor(turned, name=name)
        graph.register_initializer(
            onnx_ir.Value(
                name=name,
                const_value=tensor,
                shape=onnx_ir.Shape(turned.shape),
                type=onnx_ir.TensorType(tensor.dtype),
            )
        )
        if not weight.uses() and weight.name in graph.initializers:
            del graph.initializers[weight.name]
    return graph.initializers[name]


def _replace(graph: Any, node: Any, nodes: list[Any], result: Any) -> None:
    import onnx_ir  # noqa: PLC0415

    old = node.outputs[0]
    result.type, result.shape = old.type, old.shape
    graph.insert_before(node, nodes)
    onnx_ir.convenience.replace_all_uses_with(old, result, replace_graph_outputs=True)
    graph.remove(node, safe=True)
    result.name = old.name
