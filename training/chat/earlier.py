"""The weights of an earlier model to go on from: a training run's, or those of a 32-bit graph that was exported."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import numpy_helper
from safetensors.torch import load_file
from torch import Tensor

from training.chat.model import Shape
from training.chat.train import WEIGHTS_FILE

GRAPH_FILE = "model.onnx"


def earlier_weights(folder: Path, shape: Shape) -> dict[str, Tensor]:
    """The weights of `LeanLlama` in a run's folder or else in an exported one; `shape` tells how its heads lie.

    Raises ``FileNotFoundError`` if the folder has neither, ``ValueError`` if its graph is not one of 32-bit floats.
    """
    for name, read in ((WEIGHTS_FILE, load_file), (GRAPH_FILE, lambda path: graph_weights(path, shape))):
        if (folder / name).is_file():
            return read(folder / name)
    raise FileNotFoundError(
        f"{folder} has no {WEIGHTS_FILE} and no {GRAPH_FILE}: give a run's folder or an exported one"
    )


def graph_weights(path: Path, shape: Shape) -> dict[str, Tensor]:
    """The weights of `LeanLlama` in a graph as `export` writes it in 32 bits: the way of ONNX Runtime GenAI's builder.

    Its products take transposed matrices, those of queries, keys and values as one. Raises ``ValueError`` for a graph
    in fewer bits.
    """
    found = {
        item.name.removeprefix("model."): numpy_helper.to_array(item) for item in onnx.load(path).graph.initializer
    }
    if "lm_head.MatMul.weight" not in found:
        raise ValueError(f"{path} is not a graph of 32-bit floats: give the folder of the fp32 form")
    weights = {"embed_tokens.weight": transposed(found["lm_head.MatMul.weight"])}
    widths = [heads * shape.head_width for heads in (shape.heads, shape.kv_heads, shape.kv_heads)]
    for name, value in found.items():
        plain = name.replace(".MatMul", "").replace(".attn.", ".self_attn.")
        if "qkv_proj" in name:
            for part, rows in zip("qkv", torch.split(transposed(value), widths), strict=True):
                weights[plain.replace("qkv_proj", f"{part}_proj")] = rows.contiguous()
        elif name.endswith("_proj.MatMul.weight"):
            weights[plain] = transposed(value)
        elif name.endswith("layernorm.weight"):
            weights["norm.weight" if "final_norm" in name else plain] = torch.from_numpy(value.copy())
    return weights


def transposed(value: npt.NDArray[np.float32]) -> Tensor:
    """The matrix of a graph as a layer has it."""
    return torch.from_numpy(np.ascontiguousarray(value.T))
