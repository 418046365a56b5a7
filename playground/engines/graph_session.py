"""Opening a graph in onnxruntime, on the CPU or on CUDA, and what its failures mean."""

from __future__ import annotations

import mmap

import onnxruntime

from playground.engines.contract import Device, EngineOptions
from playground.engines.model_files import ModelFiles
from playground.engines.threads import default_threads
from playground.errors import EngineError, ModelLoadError, OutOfMemory

PROVIDERS: dict[Device, str] = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def open_session(files: ModelFiles, options: EngineOptions) -> onnxruntime.InferenceSession:
    """Load the graph onto the device. Raises ModelLoadError or OutOfMemory."""
    provider = PROVIDERS[options.device]
    if provider not in onnxruntime.get_available_providers():
        raise ModelLoadError(
            f"This onnxruntime cannot compute on {options.device}: it has no {provider}. Install onnxruntime-gpu "
            "in place of onnxruntime, or run the model on the CPU."
        )
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads or default_threads()
    settings.inter_op_num_threads = 1
    settings.log_severity_level = 4  # errors come back as exceptions
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = list(dict.fromkeys((provider, PROVIDERS["cpu"])))
    try:
        session = onnxruntime.InferenceSession(files.graph, settings, providers=providers)
    except Exception as error:  # the library's errors have no common base
        if is_memory(error):
            raise OutOfMemory(
                f"There is not enough memory to load {files.folder.name}. Choose a smaller model."
            ) from error
        raise unfit(files, "onnxruntime cannot load it") from error
    if provider not in session.get_providers():  # the library falls back to the CPU with a warning only
        raise ModelLoadError(
            f"onnxruntime could not start {provider}: the driver or the CUDA libraries are missing or too old. "
            "Install those that onnxruntime-gpu asks for, or run the model on the CPU."
        )
    return session


def has_shared_cache(files: ModelFiles) -> bool:
    """Whether the graph's attention works in place on one buffer (GroupQueryAttention) instead of returning a longer
    one. The operator's name stands in the file as it is."""
    size = files.graph.stat().st_size
    if size == 0:
        return False
    with (
        files.graph.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        return content.find(b"GroupQueryAttention") >= 0


def unfit(files: ModelFiles, reason: str) -> ModelLoadError:
    """The sentence for a graph that this engine does not run."""
    return ModelLoadError(
        f"The graph {files.graph.name} of the model folder {files.folder.name} does not run here: {reason}. "
        "Convert the model again from its safetensors checkpoint."
    )


def is_memory(error: Exception) -> bool:
    """Whether onnxruntime's error says that memory ran out."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "bad_alloc" in text or "failed to allocate memory" in text


def run_error(error: Exception) -> EngineError:
    """The error for a run that failed."""
    if is_memory(error):
        return OutOfMemory("The model ran out of memory while answering. Start a new conversation or a smaller model.")
    return EngineError("The model's graph failed while answering. Try again, or choose another model.")
