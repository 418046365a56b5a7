"""Weights in 4 bits, so that a network can get used to them while it learns.

Each run of 32 weights of a row shares a scale: the weight that is largest in size becomes -8 of 16 steps. That is what
onnxruntime's `MatMulNBitsQuantizer` does by default: https://github.com/microsoft/onnxruntime,
`onnxruntime/core/mlas/lib/q4_dq.cpp`. What ships was rounded with more care and errs less (see `export`).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

BLOCK, LOWEST, HIGHEST = 32, -8, 7
IN_4_BITS = ("gate_proj", "up_proj")
"""The matrices that ship in 4 bits. The others cost more right answers in so few, and ship in 8, which cost none."""


def is_in_4_bits(name: str) -> bool:
    """Whether the matrix of that name, of a network or of a graph, ships in 4 bits."""
    return any(part in name for part in IN_4_BITS)


def rounded(weight: Tensor) -> Tensor:
    """The matrix (outputs x inputs) in 4 bits and back; the number of inputs is a multiple of `BLOCK`."""
    blocks = weight.reshape(-1, BLOCK)
    largest = blocks.gather(1, blocks.abs().argmax(1, keepdim=True))
    scale = largest / LOWEST
    steps = torch.where(scale == 0, 0.0, blocks / torch.where(scale == 0, 1.0, scale))
    return (steps.round().clamp(LOWEST, HIGHEST) * scale).reshape(weight.shape)


@contextmanager
def rounded_weights(model: nn.Module) -> Iterator[None]:
    """The model with those matrices rounded that ship in 4 bits in the body, and as they were after it; gradients are
    kept.

    So the step that follows moves the exact weights by what was found at the rounded ones ("straight-through
    estimator": Bengio, Léonard and Courville 2013, https://arxiv.org/abs/1308.3432).
    """
    matrices = [weight for name, weight in model.named_parameters() if is_in_4_bits(name)]
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
