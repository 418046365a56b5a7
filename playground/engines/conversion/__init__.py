"""From a `transformers` checkpoint to a folder that the ONNX engine runs, checked before it is used."""

from playground.engines.conversion.job import convert
from playground.engines.conversion.request import ConversionRequest

__all__ = ["ConversionRequest", "convert"]
