"""What the library asks of whoever turns a checkpoint into graphs, and which engine needs that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from playground.catalog.spec import SourceFormat
from playground.engines.contract import Device, Progress


@dataclass(frozen=True, slots=True)
class ConversionRequest:
    """Turn the checkpoint in `source` into a folder for the ONNX engine, `target`, which does not exist yet.

    `precision` is that of the weights: `int4`, `int8`, `fp16` or `fp32`. `adapter` is the folder of a LoRA adapter to
    be merged into the checkpoint first.
    """

    source: Path
    target: Path
    precision: str
    device: Device = "cpu"
    adapter: Path | None = None


class Converter(Protocol):
    """Turns checkpoints into graphs and checks the result before it returns."""

    def convert(self, request: ConversionRequest, progress: Progress, cancelled: Callable[[], bool]) -> None:
        """Do it; raises ModelLoadError saying why it refuses, or Cancelled."""
        ...


NEEDS_CONVERSION: dict[tuple[SourceFormat, str], bool] = {
    ("genai", "onnx"): False,
    ("onnx", "onnx"): False,
    ("transformers", "onnx"): True,
    ("transformers", "torch"): False,
    ("adapter", "onnx"): True,
}
"""Which engine can use which kind of files (the keys), and whether they are converted first."""
