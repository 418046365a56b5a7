"""Whether a model of the catalogue fits on this machine as the engine would run it; asked before it is loaded."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from playground.catalog.machine import Machine
from playground.catalog.memory_plan import PRECISIONS, RUNTIMES, MemoryPlan, Need, kv_bytes, plan, refuse_too_big
from playground.catalog.shape import ModelShape
from playground.catalog.spec import ModelSpec
from playground.engines.choice import EngineChoice
from playground.engines.contract import EngineOptions
from playground.engines.shapes import read_shape
from playground.errors import ModelLoadError

_CONFIGS = Path(__file__).parents[1] / "catalog/models/configs.json"
_WEIGHTS = ("*.onnx", "*.onnx.data", "*.safetensors")
_UNKNOWN_CONTEXT = 4096


def check_memory(
    spec: ModelSpec, choice: EngineChoice, options: EngineOptions, machine: Machine, *, loaded_bytes: int = 0
) -> MemoryPlan | None:
    """The plan for loading a model now; None where nothing can be told (an engine elsewhere, an unknown shape).

    A plan that fits with less context names the length to load it with. Raises OutOfMemory with the numbers and the
    next step when it does not fit, also when it would after `loaded_bytes` of idle models are given back.
    """
    made = plan_for(spec, choice, options, machine, loaded_bytes=loaded_bytes)
    if made is not None:
        need, result = made
        refuse_too_big(spec.name, need, result)
        return result
    return None


def plan_for(
    spec: ModelSpec, choice: EngineChoice, options: EngineOptions, machine: Machine, *, loaded_bytes: int = 0
) -> tuple[Need, MemoryPlan] | None:
    """What the model needs and what follows from that; nothing is refused. None where nothing can be told."""
    need = need_of(spec, choice, options)
    on_card = choice.device == "cuda" and machine.gpu is not None
    memory = machine.gpu.memory if on_card and machine.gpu is not None else machine.memory
    if need is None or memory.total_bytes == 0:
        return None
    return need, plan(need, free_bytes=memory.free_bytes, loaded_bytes=loaded_bytes)


def need_of(spec: ModelSpec, choice: EngineChoice, options: EngineOptions) -> Need | None:
    """How much memory a model decides over, for one conversation of the length that the engine allows."""
    runtime = RUNTIMES.get((choice.engine, choice.device or ""))
    shape = shape_of(spec)
    if runtime is None or shape is None:
        return None
    files = _file_bytes(spec.path) if runtime.as_stored or not shape.parameters else 0
    precision = choice.precision if choice.precision in PRECISIONS else "fp32"
    if not files and not shape.parameters:
        return None
    per_token = kv_bytes(shape, 1, runtime.float_bytes, drops_window=False) - shape.state_bytes
    limit = options.kv_cache_mb * 2**20
    wanted = min(filter(None, (spec.context_length, shape.context_length)), default=_UNKNOWN_CONTEXT)
    return Need(
        shape=shape,
        runtime=runtime,
        context_length=max(1, min(wanted, limit // per_token if per_token else wanted)),
        precision=precision,
        weights_bytes=files,
        kv_limit_bytes=limit + shape.state_bytes,
    )


def shape_of(spec: ModelSpec) -> ModelShape | None:
    """The shape of a model: from its folder, else from what the catalogue keeps of its configuration; None: unknown.

    Raises ModelLoadError when the folder's configuration is damaged.
    """
    if spec.path is not None and (spec.path / "config.json").is_file():
        return read_shape(spec.path)
    if spec.path is not None and (spec.path / "genai_config.json").is_file():
        return _builder_shape(spec)
    config = json.loads(_CONFIGS.read_text(encoding="utf-8")).get(spec.id)
    return read_shape(config) if config is not None else None


def _builder_shape(spec: ModelSpec) -> ModelShape:
    """The shape of a folder that the model builder wrote, which names layers and heads in its own configuration."""
    assert spec.path is not None  # noqa: S101  the caller looked
    try:
        model: dict[str, Any] = json.loads((spec.path / "genai_config.json").read_text(encoding="utf-8"))["model"]
        decoder = model["decoder"]
        return ModelShape(
            architecture=str(model["type"]),
            parameters=spec.parameters,
            hidden_size=int(decoder["hidden_size"]),
            kv_layers=int(decoder["num_hidden_layers"]),
            kv_heads=int(decoder["num_key_value_heads"]),
            head_size=int(decoder["head_size"]),
            vocab_size=int(model["vocab_size"]),
            context_length=int(model["context_length"]),
            heads=int(decoder["num_attention_heads"]),
        )
    except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ModelLoadError(
            f"genai_config.json of the model folder {spec.path.name} is damaged. Download or convert the model again."
        ) from error


def _file_bytes(folder: Path | None) -> int:
    """Bytes of the weights' files in a folder, 0 when they are not here."""
    if folder is None or not folder.is_dir():
        return 0
    found: Iterable[Path] = {file for pattern in _WEIGHTS for file in folder.glob(pattern)}
    return sum(file.stat().st_size for file in found)
