"""Weights in 4 bits while a network learns: the same as those it ships with."""

import numpy as np
import onnx
import torch
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from torch import nn

from training.chat.rounding import rounded, rounded_weights


def shipped(weight: torch.Tensor) -> torch.Tensor:
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


def test_rounded_weights_are_those_that_ship() -> None:
    torch.manual_seed(3)
    weight = torch.randn(48, 96)
    weight[0] = 0.0
    weight[1, :32] = torch.linspace(-1, 1, 32)
    torch.testing.assert_close(rounded(weight), shipped(weight), atol=1e-6, rtol=0)
    assert (rounded(weight) - weight).abs().max() > 0.01


def test_gradients_are_found_at_rounded_weights_and_move_the_exact_ones() -> None:
    torch.manual_seed(4)
    layer = nn.Linear(64, 8)
    before = layer.weight.detach().clone()
    with rounded_weights(layer):
        assert torch.equal(layer.weight, rounded(before))
        layer(torch.ones(1, 64)).sum().backward()
    assert torch.equal(layer.weight, before)
    assert layer.weight.grad is not None
    assert layer.weight.grad.abs().sum() > 0
