"""A wider feed-forward part for a trained model that says the same as before: room to go on learning.

See Chen, Goodfellow and Shlens 2015, "Net2Net: Accelerating Learning via Knowledge Transfer",
https://arxiv.org/abs/1511.05641.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

READS = (".gate_proj.weight", ".up_proj.weight")
WRITES = ".down_proj.weight"


def grown(weights: Mapping[str, Tensor], hidden: int) -> dict[str, Tensor]:
    """The weights of `LeanLlama` with so many hidden units in each feed-forward part.

    New units read at random, as strongly as the old ones, and write nothing yet. Raises ``ValueError`` if there are
    more units already.
    """
    return {name: _wider(name, weight, hidden) for name, weight in weights.items()}


def _wider(name: str, weight: Tensor, hidden: int) -> Tensor:
    side = 0 if name.endswith(READS) else 1
    if not name.endswith((*READS, WRITES)) or weight.shape[side] == hidden:
        return weight
    if weight.shape[side] > hidden:
        raise ValueError(f"{name} has {weight.shape[side]} hidden units, more than {hidden}: choose a wider shape")
    if side == 0:
        return torch.cat((weight, torch.randn(hidden - weight.shape[0], weight.shape[1]) * weight.std()))
    return torch.cat((weight, torch.zeros(weight.shape[0], hidden - weight.shape[1])), 1)
