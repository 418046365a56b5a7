"""Muon in 32-bit floats (``torch.optim.Muon`` computes in bfloat16, which CPUs without AMX do very slowly)."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.775, 2.0315)
ROUNDS = 5


def orthogonalised(matrices: Tensor) -> Tensor:
    """The nearest orthogonal matrices of a stack, by Newton-Schulz rounds."""
    wide: Tensor = matrices.transpose(1, 2) if matrices.shape[1] > matrices.shape[2] else matrices
    wide = wide / (wide.norm(dim=(1, 2), keepdim=True) + 1e-7)
    first, second, third = COEFFICIENTS
    for _ in range(ROUNDS):
        square = wide @ wide.transpose(1, 2)
        wide = first * wide + (second * square + third * square @ square) @ wide
    return wide.transpose(1, 2) if matrices.shape[1] > matrices.shape[2] else wide


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised; step sizes match the root mean square of AdamW."""

    def __init__(
        self, weights: Iterable[nn.Parameter], lr: float, momentum: float = 0.95, weight_decay: float = 0.05
    ) -> None:
        super().__init__(weights, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """One update; matrices of one size are orthogonalised together."""
        loss = closure() if closure else None
        for group in self.param_groups:
            by_size: dict[torch.Size, list[tuple[nn.Parameter, Tensor]]] = defaultdict(list)
            for weight in group["params"]:
                if weight.grad is not None:
                    by_size[weight.shape].append((weight, weight.grad))
            for pairs in by_size.values():
                self.update(pairs, group)
        return loss

    def update(self, pairs: list[tuple[nn.Parameter, Tensor]], group: dict[str, Any]) -> None:
        """Update matrices of one size by their gradients."""
        directions = []
        for weight, gradient in pairs:
            buffer = self.state[weight].setdefault("momentum", torch.zeros_like(weight))
            buffer.lerp_(gradient, 1 - group["momentum"])
            directions.append(gradient.lerp(buffer, group["momentum"]))
        scale = 0.2 * math.sqrt(max(pairs[0][0].shape)) * group["lr"]
        for (weight, _), direction in zip(pairs, orthogonalised(torch.stack(directions)), strict=True):
            weight.mul_(1 - group["lr"] * group["weight_decay"]).add_(direction, alpha=-scale)
