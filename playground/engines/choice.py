"""Which engine runs a model on this machine, on what and how precisely; nothing heavy is imported to find out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from playground.catalog.spec import AUTO, ModelSpec
from playground.engines.contract import Device
from playground.engines.registry import ENGINES
from playground.errors import ModelLoadError

DeviceSetting = Literal["auto", "cpu", "cuda"]
Why = Literal["only", "best", "cuda", "no_cuda"]

_DRIVER_FILES = ("proc/driver/nvidia/version", "dev/nvidiactl", "dev/dxg")
# What tells, inside an installed package, that it was built for CUDA.
_CUDA_FILES = {
    "torch": ("torch", "lib", "libtorch_cuda.so", "torch_cuda.dll"),
    "onnx": ("onnxruntime", "capi", "libonnxruntime_providers_cuda.so", "onnxruntime_providers_cuda.dll"),
}
_PRECISIONS: dict[tuple[str, Device], str] = {
    ("onnx", "cpu"): "int4",
    ("onnx", "cuda"): "fp16",
    ("torch", "cpu"): "fp32",
    ("torch", "cuda"): "bf16",
}
# Below this many parameters four bits cost too much of what a model knows.
_SMALL = 400_000_000
# CUDA has no kernels for graphs whose activations are quantised while they run.
_CPU_ONLY_GRAPHS = ("int8",)


@dataclass(frozen=True, slots=True)
class Setup:
    """What may compute here: whether an NVIDIA driver is there, and which engines' libraries are built for CUDA."""

    cuda: bool = False
    cuda_engines: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """How a model will run, as data; the words for it belong to the interface.

    `device` is None for engines that compute elsewhere or not at all. `precision` is a short name as in the catalogue
    (int4, int8, fp16, bf16, fp32; empty when unknown). `why`: `only` (the row names one engine), `best` (the first of
    the row's engines), `cuda` (the first that can use the card), `no_cuda` (there is a card, but none of this model's
    engines can use it).
    """

    engine: str
    device: Device | None
    precision: str
    why: Why


def read_setup(root: Path = Path("/"), installed: Callable[[str], Path | None] | None = None) -> Setup:
    """Look for the driver's files below `root`, and into the folders of installed packages, without importing them."""
    folder_of = installed or _package_folder
    cuda = any((root / name).exists() for name in _DRIVER_FILES)
    engines = set()
    for engine, (package, sub_folder, *names) in _CUDA_FILES.items():
        folder = folder_of(package)
        if folder is not None and any((folder / sub_folder / name).exists() for name in names):
            engines.add(engine)
    return Setup(cuda, frozenset(engines))


def choose_engine(spec: ModelSpec, setup: Setup, wanted: DeviceSetting = "auto") -> EngineChoice:
    """The engine for a model: the one its row names, else the first of `spec.engines` that can use what is here.

    Raises ModelLoadError, naming what is missing, when CUDA is wanted and cannot be had, or no engine is known.
    """
    names = spec.engines if spec.engine == AUTO else (spec.engine,)
    unknown = [name for name in names if name not in ENGINES]
    if unknown or not names:
        what = f"names an engine {unknown[0]}" if unknown else "names no engine"
        raise ModelLoadError(
            f"The model {spec.id} {what}; there are: {', '.join(sorted(ENGINES))}. Correct its catalogue entry."
        )
    able = [name for name in names if wanted != "cpu" and _uses_cuda(spec, name, setup)]
    if wanted == "cuda" and not able and any(name in _CUDA_FILES for name in names):
        raise _no_cuda(spec, names, setup)
    engine = able[0] if able else names[0]
    if engine not in _CUDA_FILES:
        return EngineChoice(engine, None, spec.precision, "only" if len(names) == 1 else "best")
    device: Device = "cuda" if able else "cpu"
    return EngineChoice(engine, device, _precision(spec, engine, device), _why(names, able, setup, wanted))


def choose_device(setup: Setup, wanted: DeviceSetting, spec: ModelSpec) -> Device:
    """Where the engine of a model computes (the CPU for those that compute elsewhere). Raises as `choose_engine`."""
    return choose_engine(spec, setup, wanted).device or "cpu"


def _uses_cuda(spec: ModelSpec, engine: str, setup: Setup) -> bool:
    """Whether this engine would compute this model on the card."""
    made_for_cpu = engine == "onnx" and spec.path is not None and spec.precision in _CPU_ONLY_GRAPHS
    return setup.cuda and engine in setup.cuda_engines and not made_for_cpu


def _precision(spec: ModelSpec, engine: str, device: Device) -> str:
    options = spec.engine_options
    said = options.get("quantization") or options.get("dtype") or (spec.precision if engine == "onnx" else "")
    small = 0 < spec.parameters < _SMALL and (engine, device) == ("onnx", "cpu")
    return str(said or ("int8" if small else _PRECISIONS[engine, device]))


def _why(names: tuple[str, ...], able: list[str], setup: Setup, wanted: DeviceSetting) -> Why:
    if able:
        return "cuda"
    if setup.cuda and wanted == "auto":
        return "no_cuda"
    return "only" if len(names) == 1 else "best"


def _no_cuda(spec: ModelSpec, names: tuple[str, ...], setup: Setup) -> ModelLoadError:
    if not setup.cuda:
        reason, advice = "there is no NVIDIA driver here", "Set device to auto or cpu."
    elif not setup.cuda_engines.intersection(names):
        reason = f"what is installed for {' and '.join(names)} is not built for CUDA"
        advice = "Install onnxruntime-gpu or a PyTorch built for CUDA, or set device to auto or cpu."
    else:
        reason, advice = f"its {spec.precision} files are made for the CPU", "Set device to auto or cpu."
    return ModelLoadError(f"The model {spec.id} cannot run on CUDA: {reason}. {advice}")


def _package_folder(package: str) -> Path | None:
    found = find_spec(package)
    return Path(found.origin).parent if found is not None and found.origin is not None else None
