"""Weights as they are in 4 bits, so that a network can get used to them while it learns.

Each run of 32 weights of a row shares a scale: the weight that is largest in size becomes -8 of 16 steps. That is what
onnxruntime's `MatMulNBitsQuantizer` does by default, and so the model builder: https://github.com/microsoft/onnxruntime,
`onnxruntime/core/mlas/lib/q4_dq.cpp`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

BLOCK, LOWEST, HIGHEST = 32, -8, 7


def rounded(weight: Tensor) -> Tensor:
    """The matrix (outputs x inputs) in 4 bits and back; the number of inputs is a multiple of `BLOCK`."""
    blocks = weight.reshape(-1, BLOCK)
    largest = blocks.gather(1, blocks.abs().argmax(1, keepdim=True))
    scale = largest / LOWEST
    steps = torch.where(scale == 0, 0.0, blocks / torch.where(scale == 0, 1.0, scale))
    return (steps.round().clamp(LOWEST, HIGHEST) * scale).reshape(weight.shape)


@contextmanager
def rounded_weights(model: nn.Module) -> Iterator[None]:
    """The model with its matrices rounded in the body, and as they were after it; gradients are kept.

    So the step that follows moves the exact weights by what was found at the rounded ones ("straight-through
    estimator": Bengio, Léonard and Courville 2013, https://arxiv.org/abs/1308.3432).
    """
    matrices = [weight for weight in model.parameters() if weight.dim() == 2]
    exact = [weight.detach().clone() for weight in matrices]
    with torch.no_grad():
        for weight in matrices:
            weight.copy_(rounded(weight))
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, kept in zip(matrices, exact, strict=True):
                weight.copy_(kept)
