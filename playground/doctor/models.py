"""The models that ship, the engines, and the graphics card."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from playground.catalog.catalog import Catalog
from playground.catalog.machine import Gpu, ask_nvidia_smi, parse_gpu
from playground.config import Settings
from playground.doctor.findings import Finding, fix, note, ok
from playground.domain import SamplingParams
from playground.engines.choice import Setup, read_setup
from playground.engines.contract import EngineOptions, Prompt, Turn
from playground.engines.pool import EnginePool
from playground.errors import PlaygroundError
from playground.services import load_catalog

EMBEDDED = Path(__file__).resolve().parents[1] / "embedded"
TRIED = "pip"
_SUMS = ("SHA256SUMS", "*.sha256")
_LIBRARIES = {"onnx": ("onnxruntime", "numpy", "tokenizers"), "torch": ("torch", "transformers", "safetensors")}
_SECONDS = 60.0


def examine_files(folder: Path = EMBEDDED) -> Finding:
    """Whether the models that ship are, byte for byte, those that were published with the program."""
    lists = sorted(file for pattern in _SUMS for file in folder.rglob(pattern))
    wrong = [name for file in lists for name in wrong_files(file)]
    advice = "Fetch the program anew: an interrupted download, or `git lfs` that was not there, leaves such files."
    if not lists:
        return fix("Embedded models", f"none in {folder}", advice)
    if wrong:
        return fix("Embedded models", f"not as published: {', '.join(wrong)}", advice)
    return ok("Embedded models", "as published")


def wrong_files(sums: Path) -> list[str]:
    """The files of a list that `sha256sum` wrote that are missing or differ."""
    wrong = []
    for line in sums.read_text(encoding="utf-8").splitlines():
        digest, _, name = line.partition("  ")
        file = sums.parent / name.strip()
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            wrong.append(name.strip())
    return wrong


def examine_catalog(settings: Settings) -> Finding:
    """Whether the catalogue can be read, the operator's own rows included, and has the default model."""
    try:
        catalog = load_catalog(settings)
        catalog.get(settings.default_model)
    except PlaygroundError as error:
        return fix("Catalogue", str(error), "Correct the models file, or the setting default_model.")
    return ok("Catalogue", f"{sum(1 for _ in catalog)} models, {settings.default_model} by default")


def examine_engines(tried: str = TRIED) -> Iterator[Finding]:
    """Which engines' libraries are there, and whether the embedded model answers in a worker."""
    for name, packages in _LIBRARIES.items():
        missing = [package for package in packages if find_spec(package) is None]
        if missing:
            advice = "python -m pip install -r requirements.txt"
            yield (fix if name == "onnx" else note)(f"Engine {name}", f"{', '.join(missing)} not installed", advice)
    yield _tried(tried)


def _tried(model_id: str) -> Finding:
    options = EngineOptions(max_batch=1, kv_cache_mb=64)
    pool = EnginePool(options, max_models=1, idle_seconds=0, start_seconds=_SECONDS, stall_seconds=_SECONDS)
    subject, began = "Engine", time.monotonic()
    try:
        spec = Catalog.load().get(model_id)
        turns = (Turn("user", "Hello!"),)
        tokenizer = pool.tokenizer(spec)
        prompt = Prompt(turns, tuple(tokenizer.encode_chat(turns)) if tokenizer is not None else ())
        with pool.acquire(spec) as engine:
            pieces = list(engine.generate(prompt, SamplingParams(temperature=0.0, max_tokens=8)))
    except PlaygroundError as error:
        return fix(subject, f"{model_id} does not answer: {error}", "See above for memory and packages.")
    finally:
        pool.close()
    usage = pieces[-1].usage
    count = usage.completion_tokens if usage is not None else len(pieces)
    return ok(subject, f"{model_id} answered with {count} tokens, {time.monotonic() - began:.1f} s with its start")


def examine_card(settings: Settings, setup: Setup | None = None, gpu: Gpu | None = None) -> Finding:
    """Whether there is an NVIDIA card, and whether what is installed can use it."""
    if setup is None:
        setup, gpu = read_setup(), parse_gpu(ask_nvidia_smi())
    if not setup.cuda:
        if settings.device == "cuda":
            return fix(
                "Graphics card", "there is no NVIDIA driver", "Set device to auto or cpu, or install the driver."
            )
        return ok("Graphics card", "none; models compute on the processor")
    said = "NVIDIA" if gpu is None else f"{gpu.name}, {gpu.memory.free_bytes / 2**30:.1f} GiB free"
    if not setup.cuda_engines:
        advice = "Install onnxruntime-gpu, or a PyTorch built for CUDA, to compute on the card."
        return (fix if settings.device == "cuda" else note)(
            "Graphics card", f"{said}, which nothing here can use", advice
        )
    return ok("Graphics card", f"{said}, used by {', '.join(sorted(setup.cuda_engines))}")
