"""An encoder as an ONNX graph for ONNX Runtime's fused operators, in float32 or with int8 matrix products.

The graph is written from the weights rather than traced: every operator is the one ONNX Runtime is fastest with, and
three things are saved that a traced graph pays for. The windows of one call have equal length, so there is no mask; the
last layer computes the first token only, which is all the head reads; the embedding table is int8 too, row by row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from playground.moderation.detoxify.encoder import Array, Encoder, Layer, Linear, Norm

if TYPE_CHECKING:
    from onnx import ModelProto

FLOAT32, INT8 = "float32", "int8"
INPUT, OUTPUT = "input_ids", "logits"
_MICROSOFT = "com.microsoft"
# Seven bits: without VNNI instructions two products of an activation (0 to 255) and a weight are added in 16 bits,
# where 255 * 63 * 2 still fits. Eight bits would overflow there silently.
_LARGEST = 63
_ACTIVATIONS = {"gelu": "Gelu", "gelu_new": "FastGelu"}


def quantise(weight: Array, axis: int) -> tuple[NDArray[np.int8], Array]:
    """Integers and scales with `weight` close to integers * scales; one scale per slice along the other axis.

    Symmetric, so that zero stays zero: scale = largest absolute value along `axis` / 63.
    """
    scales = np.maximum(np.abs(weight).max(axis=axis, keepdims=True), 1e-8) / _LARGEST
    return np.round(weight / scales).astype(np.int8), scales.astype(np.float32)


def build_graph(encoder: Encoder, precision: str) -> ModelProto:
    """The network from token ids [windows, tokens] (int64) to logits [windows, labels] (float32)."""
    return _Writer(encoder, precision).model()


class _Writer:
    def __init__(self, encoder: Encoder, precision: str) -> None:
        self._encoder = encoder
        self._quantised = precision == INT8
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}
        self._linears: dict[tuple[int, ...], tuple[str, ...]] = {}

    def model(self) -> ModelProto:
        from onnx import TensorProto, helper  # noqa: PLC0415

        hidden = self._embedded()
        for layer in self._encoder.layers[:-1]:
            hidden = self._block(layer, hidden, hidden)
        first = self._slice(hidden, 0, 1)
        hidden = self._block(self._encoder.layers[-1], hidden, first)
        flat = self._node("Squeeze", hidden, self._constant(np.array([1])))
        pooled = self._node("Tanh", self._gemm(flat, self._encoder.pooler))
        logits = self._gemm(pooled, self._encoder.classifier)
        self._nodes.append(helper.make_node("Identity", [logits], [OUTPUT]))
        labels = self._encoder.classifier.bias.shape[0]
        graph = helper.make_graph(
            self._nodes,
            "detoxify",
            [helper.make_tensor_value_info(INPUT, TensorProto.INT64, ["windows", "tokens"])],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["windows", labels])],
            list(self._constants.values()),
        )
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid(_MICROSOFT, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)

    def _embedded(self) -> str:
        encoder = self._encoder
        if self._quantised:
            table, scales = quantise(encoder.words, axis=1)
            rows = self._node("Cast", self._node("Gather", self._constant(table), INPUT), to=1)
            words = self._node("Mul", rows, self._node("Gather", self._constant(scales), INPUT))
        else:
            words = self._node("Gather", self._constant(encoder.words), INPUT)
        length = self._node("Slice", self._node("Shape", INPUT), *self._integers(1, 2))
        places = self._node("Slice", self._constant(encoder.positions), self._constant(np.array([0])), length)
        hidden = self._norm(self._node("Add", words, places), encoder.norm)
        return self._linear(hidden, encoder.projection) if encoder.projection else hidden

    def _block(self, layer: Layer, hidden: str, wanted: str) -> str:
        """One layer: the places in `wanted` attend to all of `hidden`."""
        if wanted == hidden:
            query, key, value = self._parts(hidden, layer.query, layer.key, layer.value)
        else:
            (query,) = self._parts(wanted, layer.query)
            key, value = self._parts(hidden, layer.key, layer.value)
        heads = self._encoder.heads
        context = self._node("MultiHeadAttention", query, key, value, domain=_MICROSOFT, num_heads=heads)
        attended = self._node("Add", self._linear(context, layer.attended), wanted)
        attended = self._norm(attended, layer.attended_norm)
        activation = _ACTIVATIONS[self._encoder.activation]
        raised = self._node(activation, self._linear(attended, layer.up), domain=_MICROSOFT)
        return self._norm(self._node("Add", self._linear(raised, layer.down), attended), layer.norm)

    def _parts(self, hidden: str, *parts: Linear) -> list[str]:
        """Several products with the same input as one, taken apart again."""
        if len(parts) == 1:
            return [self._linear(hidden, parts[0])]
        joined = self._linear(hidden, *parts)
        sizes = self._constant(np.array([part.bias.shape[0] for part in parts]))
        return self._nodes_out("Split", [joined, sizes], len(parts), axis=2)

    def _linear(self, hidden: str, *parts: Linear) -> str:
        key = tuple(map(id, parts))
        if key not in self._linears:
            weight = np.concatenate([part.weight for part in parts], axis=1)
            self._linears[key] = (*self._weights(weight), self._constant(np.concatenate([p.bias for p in parts])))
        *weights, bias = self._linears[key]
        if self._quantised:
            return self._node("DynamicQuantizeMatMul", hidden, *weights, bias, domain=_MICROSOFT)
        return self._node("Add", self._node("MatMul", hidden, *weights), bias)

    def _weights(self, weight: Array) -> tuple[str, ...]:
        if not self._quantised:
            return (self._constant(weight),)
        integers, scales = quantise(weight, axis=0)
        zeros = np.zeros(weight.shape[1], np.int8)
        return self._constant(integers), self._constant(scales[0]), self._constant(zeros)

    def _gemm(self, rows: str, linear: Linear) -> str:
        return self._node("Gemm", rows, self._constant(linear.weight), self._constant(linear.bias))

    def _norm(self, hidden: str, norm: Norm) -> str:
        constants = self._constant(norm.gain), self._constant(norm.bias)
        return self._node("LayerNormalization", hidden, *constants, axis=-1, epsilon=self._encoder.epsilon)

    def _slice(self, hidden: str, start: int, end: int) -> str:
        return self._node("Slice", hidden, *self._integers(start, end, 1))

    def _integers(self, *values: int) -> list[str]:
        return [self._constant(np.array([value])) for value in values]

    def _constant(self, array: NDArray[Any]) -> str:
        from onnx import numpy_helper  # noqa: PLC0415

        name = f"constant_{len(self._constants)}"
        self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name

    def _node(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        return self._nodes_out(kind, list(inputs), 1, domain=domain, **attributes)[0]

    def _nodes_out(
        self, kind: str, inputs: list[str], outputs: int, *, domain: str = "", **attributes: Any
    ) -> list[str]:
        from onnx import helper  # noqa: PLC0415

        names = [f"value_{len(self._nodes)}_{number}" for number in range(outputs)]
        self._nodes.append(helper.make_node(kind, inputs, names, domain=domain, **attributes))
        return names
