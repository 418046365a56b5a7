"""optimum-onnx's ORTModelForCausalLM: `python -m benchmarks.runners.ort_model CHECKPOINT CACHE fp32|int8 THREADS`.

Run in an environment of its own (see `environments`), which exports the checkpoint by optimum's own exporter on first
use; int8 is its quantiser's setting for processors with AVX2.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnxruntime
import torch
import transformers
from optimum.onnxruntime import AutoQuantizationConfig, ORTModelForCausalLM, ORTQuantizer

from benchmarks.runners.answering import Figures, Task, serve
from benchmarks.runners.transformers_generate import write

QUANTISED = "model_quantized.onnx"


class Runner:
    """The model with its default way of generating, which binds inputs and outputs."""

    def __init__(self, checkpoint: Path, cache: Path, precision: str, threads: int) -> None:
        transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        torch.set_num_threads(threads)
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
        folder = _exported(checkpoint, cache)
        file = "model.onnx" if precision == "fp32" else _quantised(folder)
        self._model: Any = ORTModelForCausalLM.from_pretrained(folder, file_name=file, session_options=settings)

    def run(self, task: Task) -> Figures:
        """Prompts through one call of the model; answers by `generate`, from the first token on."""
        ids = torch.tensor(task.prompts())
        if task.steps:
            return write(self._model, torch.ones_like(ids), ids, task)
        figures = Figures(task.prompt)
        with figures.timed():
            logits = self._model(ids, torch.ones_like(ids), use_cache=True).logits
        figures.logits = logits[0, -1, :8].tolist()
        return figures


def _exported(checkpoint: Path, cache: Path) -> Path:
    folder = cache / "exported"
    if not (folder / "done").exists():
        model = ORTModelForCausalLM.from_pretrained(checkpoint, export=True)
        model.save_pretrained(folder)
        (folder / "done").touch()
    return folder


def _quantised(folder: Path) -> str:
    if not (folder / QUANTISED).exists():
        settings = AutoQuantizationConfig.avx2(is_static=False, per_channel=True)
        ORTQuantizer.from_pretrained(folder, file_name="model.onnx").quantize(folder, settings)
    return QUANTISED


if __name__ == "__main__":
    checkpoint, cache, precision, threads = sys.argv[1:]
    named = f"optimum-onnx {version('optimum-onnx')} with transformers {transformers.__version__}"
    serve(
        lambda: (
            f"{named}, onnxruntime {onnxruntime.__version__}",
            Runner(Path(checkpoint), Path(cache), precision, int(threads)).run,
        )
    )
