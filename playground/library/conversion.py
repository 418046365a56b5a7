"""Which engine can use which kind of files, and what turns one into the other."""

from __future__ import annotations

from collections.abc import Callable

from playground.catalog.spec import SourceFormat
from playground.engines.contract import Progress
from playground.engines.conversion.request import ConversionRequest

Converter = Callable[[ConversionRequest, Progress, Callable[[], bool]], None]
"""Turns a checkpoint into a folder and checks it; raises ModelLoadError saying why it refuses, or Cancelled."""

NEEDS_CONVERSION: dict[tuple[SourceFormat, str], bool] = {
    ("genai", "onnx"): False,
    ("onnx", "onnx"): False,
    ("transformers", "onnx"): True,
    ("transformers", "torch"): False,
    ("adapter", "onnx"): True,
}
"""Which engine can use which kind of files (the keys), and whether they are converted first."""
