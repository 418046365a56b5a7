"""LoRA adapters, merged into the checkpoint they were trained on.

An adapter in the form of `peft`: `adapter_config.json` and `adapter_model.safetensors` with a pair of small matrices A
and B for each adapted one. The merged weight is W + scale * B @ A, with scale = alpha / r, or alpha / sqrt(r) for
rank-stabilised adapters (https://arxiv.org/abs/2106.09685, https://arxiv.org/abs/2312.03732). Whatever else an adapter
may be is refused by name, since merging it in this way would give another model than was trained.
"""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playground.engines.folder_reader import inside, read_json
from playground.errors import ModelLoadError

_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_PREFIX = "base_model.model."
_LORA = re.compile(r"(.+)\.lora_([AB])(?:\.default)?\.weight")
_SAVED = re.compile(r"(.+?)(?:\.modules_to_save(?:\.default)?)?\.(weight|bias)")
_EMPTY: tuple[object, ...] = (None, False, [], {}, "none")
# Forms of peft in which the formula above does not hold.
_REFUSED = (
    "use_dora",
    "lora_bias",
    "trainable_token_indices",
    "layer_replication",
    "use_qalora",
    "alora_invocation_tokens",
)


@dataclass(slots=True)
class _Changes:
    """For base weights by name: pairs (A, B), and whole tensors that replace them."""

    pairs: dict[str, dict[str, Any]] = field(default_factory=dict)
    whole: dict[str, Any] = field(default_factory=dict)


def merge_adapter(base: Path, adapter: Path, target: Path) -> None:
    """Write the checkpoint `base` with `adapter` merged into it to the new folder `target`, shard by shard.

    Raises ModelLoadError for adapters of an unknown form, and for those that belong to another base.
    """
    from safetensors import safe_open  # noqa: PLC0415
    from safetensors.torch import save_file  # noqa: PLC0415

    config = _read_config(adapter)
    changes = _read_changes(adapter)
    target.mkdir(parents=True)
    left = changes.pairs.keys() | changes.whole.keys()
    for shard in sorted(base.glob("*.safetensors")):
        with safe_open(inside(base, shard.name), framework="pt") as tensors:
            merged = {name: _merged(name, tensor, changes, config) for name, tensor in _named(tensors)}
            metadata = tensors.metadata()
        left -= merged.keys()
        save_file(merged, target / shard.name, metadata=metadata or {"format": "pt"})
    if left:
        raise ModelLoadError(
            f"The adapter changes {len(left)} weights that the base model does not have, such as {min(left)}. "
            "Choose the base model that it was trained on."
        )
    for name in (item.name for item in base.iterdir() if item.suffix in (".json", ".jinja", ".model")):
        shutil.copyfile(inside(base, name), target / name)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"):
        if (adapter / name).is_file():  # adapters for chat often bring the template they were trained with
            shutil.copyfile(inside(adapter.resolve(), name), target / name)


def _read_config(adapter: Path) -> dict[str, Any]:
    folder = adapter.resolve()
    config = read_json(folder, _CONFIG)
    if config.get("peft_type") != "LORA":
        raise _unknown(f"its kind is {config.get('peft_type')!s:.20}, and only LORA can be merged")
    for key in _REFUSED:
        if config.get(key) not in _EMPTY:
            raise _unknown(f"it uses {key}, for which merging follows another formula")
    if config.get("bias", "none") != "none":
        raise _unknown("it trained biases as well")
    if not isinstance(config.get("r"), int) or not isinstance(config.get("lora_alpha"), int | float):
        raise _unknown("r or lora_alpha is missing")
    return config


def _read_changes(adapter: Path) -> _Changes:
    from safetensors import safe_open  # noqa: PLC0415

    changes = _Changes()
    path = inside(adapter.resolve(), _WEIGHTS)
    with ExitStack() as stack:
        try:
            tensors = stack.enter_context(safe_open(path, framework="pt"))
        except Exception as error:  # safetensors' own error has no public base
            raise ModelLoadError("The adapter's weights are damaged. Download it again.") from error
        for full_name, tensor in _named(tensors):
            name = full_name.removeprefix(_PREFIX)
            pair, saved = _LORA.fullmatch(name), _SAVED.fullmatch(name)
            if pair is not None:
                changes.pairs.setdefault(f"{pair[1]}.weight", {})[pair[2]] = tensor
            elif saved is not None and "lora" not in name:
                changes.whole[f"{saved[1]}.{saved[2]}"] = tensor
            else:
                raise _unknown(f"it holds a tensor {name[:60]}, whose meaning is not known")
    for name, matrices in changes.pairs.items():
        if matrices.keys() != {"A", "B"} or any(matrix.dim() != 2 for matrix in matrices.values()):
            raise _unknown(f"it has no pair of matrices for {name[:60]}")
    return changes


def _named(tensors: Any) -> Iterator[tuple[str, Any]]:
    for name in tensors.keys():  # noqa: SIM118  not a mapping
        yield name, tensors.get_tensor(name)


def _merged(name: str, weight: Any, changes: _Changes, config: dict[str, Any]) -> Any:
    """The weight after merging, in its own type; products are computed in fp32."""
    if name in changes.whole:
        if changes.whole[name].shape != weight.shape:
            raise _unknown(f"it replaces {name[:60]} by a tensor of another shape")
        return changes.whole[name].to(weight.dtype).contiguous()
    if name not in changes.pairs:
        return weight
    one, two = changes.pairs[name]["A"].float(), changes.pairs[name]["B"].float()
    module = name.removesuffix(".weight")
    rank = _pattern(config.get("rank_pattern"), module, config["r"])
    alpha = _pattern(config.get("alpha_pattern"), module, config["lora_alpha"])
    scale = alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
    change = scale * (two @ one) if one.shape[0] == two.shape[1] == rank else None
    if change is not None and config.get("fan_in_fan_out"):
        change = change.T
    if change is None or change.shape != weight.shape:
        raise _unknown(f"its matrices for {name[:60]} do not have the base model's shape")
    return (weight.float() + change).to(weight.dtype).contiguous()


def _pattern(patterns: Any, module: str, default: float) -> float:
    """The value of the first pattern that a module's name ends with, as peft matches it."""
    for pattern, value in (patterns or {}).items():
        if module == pattern or module.endswith(f".{pattern}"):
            return float(value)
    return float(default)


def _unknown(reason: str) -> ModelLoadError:
    return ModelLoadError(f"The adapter cannot be merged: {reason}. Choose another adapter.")
