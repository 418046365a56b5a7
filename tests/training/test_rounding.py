"""Weights in 4 bits while a network learns: those of the matrices that ship in so few, as onnxruntime rounds them."""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from torch import nn

from training.chat.model import LeanLlama
from training.chat.pipeline import STANDARD
from training.chat.rounding import is_in_4_bits, rounded, rounded_weights

FEW_BITS = ("MatMulNBits", "GatherBlockQuantized")


def quantised(weight: torch.Tensor) -> torch.Tensor:
    """What onnxruntime's quantizer makes of a matrix (outputs x inputs), computed by onnxruntime."""
    outputs, inputs = weight.shape
    made = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "w"], ["y"], name="product")],
        "one",
        [made("x", onnx.TensorProto.FLOAT, ["rows", inputs])],
        [made("y", onnx.TensorProto.FLOAT, ["rows", outputs])],
        [onnx.numpy_helper.from_array(np.ascontiguousarray(weight.numpy().T), "w")],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)], ir_version=10)
    quantizer = MatMulNBitsQuantizer(model, block_size=32, is_symmetric=True)
    quantizer.process()
    import onnxruntime  # noqa: PLC0415

    session = onnxruntime.InferenceSession(
        quantizer.model.model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(None, {"x": np.eye(inputs, dtype=np.float32)})
    return torch.from_numpy(found.T.copy())


def test_rounded_weights_are_those_of_onnxruntime() -> None:
    torch.manual_seed(3)
    weight = torch.randn(48, 96)
    weight[0] = 0.0
    weight[1, :32] = torch.linspace(-1, 1, 32)
    torch.testing.assert_close(rounded(weight), quantised(weight), atol=1e-6, rtol=0)
    assert (rounded(weight) - weight).abs().max() > 0.01


def test_gradients_are_found_at_rounded_weights_and_move_the_exact_ones() -> None:
    torch.manual_seed(4)
    layer = nn.ModuleDict({"up_proj": nn.Linear(64, 8, bias=False), "down_proj": nn.Linear(8, 64, bias=False)})
    up, down = layer["up_proj"], layer["down_proj"]
    before, kept = up.weight.detach().clone(), down.weight.detach().clone()
    with rounded_weights(layer):
        assert torch.equal(up.weight, rounded(before))
        assert torch.equal(down.weight, kept)
        down(up(torch.ones(1, 64))).sum().backward()
    assert torch.equal(up.weight, before)
    assert up.weight.grad is not None
    assert up.weight.grad.abs().sum() > 0


def test_what_is_rounded_while_it_learns_is_what_ships_in_4_bits(embedded: Path) -> None:
    graph = onnx.load(embedded / "int4" / "model.onnx").graph
    bits = {node.name: onnx.helper.get_node_attr_value(node, "bits") for node in graph.node if node.op_type in FEW_BITS}
    assert set(bits.values()) == {4, 8}
    assert all(found == (4 if is_in_4_bits(name) else 8) for name, found in bits.items())
    matrices = [name for name, weight in LeanLlama(STANDARD.shape).named_parameters() if is_in_4_bits(name)]
    assert len(matrices) == list(bits.values()).count(4) == 2 * STANDARD.shape.layers
