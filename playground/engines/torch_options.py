"""Where and how precisely a model computes with PyTorch, from the operator's options and the catalogue row's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch

from playground.engines.contract import EngineOptions
from playground.errors import ModelLoadError

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_QUANTIZATIONS: dict[str, dict[str, Any]] = {
    "int8": {"load_in_8bit": True},
    "int4": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True},
}
_QUANTIZERS = ("bitsandbytes", "accelerate")


@dataclass(frozen=True, slots=True)
class TorchOptions:
    """`quantization` is empty, `int8` or `int4`; `compiled` asks for torch.compile."""

    device: str
    dtype: torch.dtype
    quantization: str = ""
    compiled: bool = False


def choose_options(options: EngineOptions, row: Mapping[str, str | int | float | bool]) -> TorchOptions:
    """bf16 on CUDA (fp16 where the card has no bf16), fp32 on the CPU, unless the row says otherwise.

    Raises ModelLoadError for what is not known or cannot be had here, naming it.
    """
    if options.device == "cuda" and not torch.cuda.is_available():
        raise ModelLoadError(
            "PyTorch finds no CUDA device here. Set device to cpu, or install a PyTorch built for CUDA and the driver."
        )
    cuda = options.device == "cuda"
    best = ("bf16" if torch.cuda.is_bf16_supported() else "fp16") if cuda else "fp32"
    dtype = _known("dtype", str(row.get("dtype") or best), _DTYPES)
    quantization = str(row.get("quantization") or "")
    if quantization:
        _known("quantization", quantization, _QUANTIZATIONS)
        _check_quantizer(cuda)
    compiled = bool(row.get("compile"))
    if compiled and not cuda:
        raise ModelLoadError("compile pays on CUDA only. Remove it from engine_options, or set device to cuda.")
    return TorchOptions(options.device, dtype, quantization, compiled)


def quantization_config(options: TorchOptions) -> dict[str, Any]:
    """Keyword arguments for loading with that quantization."""
    if not options.quantization:
        return {}
    import transformers  # noqa: PLC0415

    settings = _QUANTIZATIONS[options.quantization] | (
        {"bnb_4bit_compute_dtype": options.dtype} if options.quantization == "int4" else {}
    )
    chosen = transformers.BitsAndBytesConfig(**settings)  # type: ignore[no-untyped-call]
    return {"quantization_config": chosen, "device_map": {"": options.device}}


def _check_quantizer(cuda: bool) -> None:
    missing = [name for name in _QUANTIZERS if find_spec(name) is None]
    if missing:
        raise ModelLoadError(
            f"quantization needs the package {missing[0]}, which is not installed. "
            f"Install {' and '.join(_QUANTIZERS)}, or remove quantization from engine_options."
        )
    if not cuda:
        raise ModelLoadError(
            "quantization with PyTorch works on CUDA only. On a CPU, use the ONNX engine's int4 or int8."
        )


def _known(name: str, value: str, known: Mapping[str, Any]) -> Any:
    if value not in known:
        raise ModelLoadError(f"{name} is {value!r:.40}; it must be one of {', '.join(known)}. Correct engine_options.")
    return known[value]
