"""What the library asks of whoever turns a checkpoint into graphs, and which engine needs that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from playground.catalog.spec import SourceFormat
from playground.engines.contract import Device, Progress
from playground.engines.conversion.request import ConversionRequest


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

USUAL_PRECISION: dict[tuple[str, Device], str] = {
    ("onnx", "cpu"): "int4",
    ("onnx", "cuda"): "fp16",
    ("torch", "cpu"): "fp32",
    ("torch", "cuda"): "bf16",
}
"""What weights are loaded in when a catalogue row does not say."""
