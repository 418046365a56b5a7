"""The first route: onnxruntime-genai's model builder, whose graphs batch best (attention in place)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from playground.engines.conversion.checkpoint import copy_texts, read_config
from playground.engines.conversion.corrections import corrected, set_windows
from playground.engines.conversion.kept_weights import BITS, BLOCK
from playground.engines.conversion.last_logits import add_last_logits
from playground.engines.conversion.request import ConversionRequest
from playground.engines.conversion.weights import ACCURACY_LEVEL
from playground.errors import ModelLoadError

_OPTIONS = ("hf_token=false", "hf_remote=false", "windowed_kv_cache=false")
_QUANTISED = (f"block_size={BLOCK}", f"accuracy_level={ACCURACY_LEVEL}")


def convert_with_builder(request: ConversionRequest, folder: Path) -> None:
    """Write the folder. Raises ModelLoadError when the builder does not know the architecture or fails."""
    from onnxruntime_genai.models import builder  # noqa: PLC0415

    config = read_config(request.source)
    if request.precision == "fp16" and request.device == "cpu":
        raise ModelLoadError("The model builder computes in fp16 on CUDA only. Choose int8 or fp32 for the CPU.")
    if getattr(config, "clip_qkv", None):
        raise ModelLoadError("The model builder leaves out the limits on queries, keys and values of this model.")
    quantised = request.precision in BITS
    options = [*_OPTIONS, *(_QUANTISED if quantised else ())]
    place = ("", str(request.source), str(folder), request.precision, request.device, str(folder / "cache"))
    try:
        parsed: dict[str, Any] = builder.parse_extra_options(*place, options)
        with corrected(builder, parsed["hf_details"]["hf_config"]):
            builder.create_model(*place, **parsed)
    except MemoryError:
        raise
    except Exception as error:  # it raises whatever its parts raise
        reason = str(error).replace(str(request.source), "")
        raise ModelLoadError(f"The model builder cannot convert it ({type(error).__name__}: {reason:.120}).") from error
    shutil.rmtree(folder / "cache", ignore_errors=True)
    set_windows(folder / "model.onnx", config)
    add_last_logits(folder / "model.onnx")
    copy_texts(request.source, folder)
