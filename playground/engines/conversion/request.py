"""What is to be converted, and into what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from playground.engines.contract import Device

PRECISIONS = ("int4", "int8", "fp16", "fp32")


@dataclass(frozen=True, slots=True)
class ConversionRequest:
    """One conversion.

    `source` is a checkpoint of `transformers` in safetensors, `target` the folder to be made (it must not exist).
    `precision` is one of `PRECISIONS`: how weights are kept. `adapter` is a LoRA adapter to be merged into the
    checkpoint first.
    """

    source: Path
    target: Path
    precision: str
    device: Device = "cpu"
    adapter: Path | None = None
