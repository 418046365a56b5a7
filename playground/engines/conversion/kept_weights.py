"""The checkpoint with its weights as a conversion keeps them: rounded to 4 or 8 bits, in `transformers`.

Rounding changes what a model computes, and how much depends on the model. A wrong graph is told from a right one by
comparing it with `transformers` on the same rounded weights; what rounding costs is told apart from that.
"""

from __future__ import annotations

from typing import Any

import numpy as np

BITS = {"int4": 4, "int8": 8}
BLOCK = 32


def round_weights(model: Any, bits: int, *, share_embedding: bool) -> None:
    """Round every matrix that is multiplied, in place, by onnxruntime's own rounding in blocks of `BLOCK` weights.

    `share_embedding` says whether an embedding that is tied to the logits is rounded with them.
    """
    import torch  # noqa: PLC0415
    from transformers.pytorch_utils import Conv1D  # noqa: PLC0415

    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    if head is not None and head.weight is embedding.weight and not share_embedding:
        head.weight = torch.nn.Parameter(head.weight.clone(), requires_grad=False)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.Linear):
                module.weight.copy_(_rounded(module.weight.T, bits).T)
            elif isinstance(module, Conv1D):
                module.weight.copy_(_rounded(module.weight, bits))


def _rounded(weight: Any, bits: int) -> Any:
    """A matrix [inputs, outputs] after rounding."""
    import torch  # noqa: PLC0415
    from onnxruntime.quantization.matmul_nbits_quantizer import (  # noqa: PLC0415
        DefaultWeightOnlyQuantConfig,
        DefaultWeightOnlyQuantizer,
    )

    settings = DefaultWeightOnlyQuantConfig(block_size=BLOCK, is_symmetric=True, bits=bits)
    matrix = np.ascontiguousarray(weight.float().numpy())
    packed, scales, _ = DefaultWeightOnlyQuantizer(settings).qbits_block_quant(matrix)
    if bits == 4:
        packed = np.stack([packed & 15, packed >> 4], axis=-1).reshape(*packed.shape[:2], -1)
    values = (packed.astype(np.float32) - 2 ** (bits - 1)) * scales.reshape(packed.shape[0], -1, 1)
    return torch.from_numpy(values.reshape(len(values), -1)[:, : len(matrix)].T.copy())
