"""A `transformers` checkpoint from a local folder: looked through before anything is loaded, then loaded.

Folders come from strangers. Weights are read from safetensors only, and nothing in a folder is run: architectures are
those that `transformers` has itself, whatever the configuration says about code of its own, and how attention is
computed is chosen here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import transformers
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

from playground.engines.folder_reader import inside, open_folder, read_json
from playground.engines.torch_errors import is_memory
from playground.engines.torch_options import TorchOptions, quantization_config
from playground.errors import ModelLoadError, OutOfMemory

_INDEX = "model.safetensors.index.json"
_LENGTHS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")
_UNKNOWN_LENGTH = 2048


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder that was looked through. `eos_ids` end an answer; `context_length` is in tokens."""

    folder: Path
    config: Any
    context_length: int
    eos_ids: frozenset[int]


def read_checkpoint(folder: Path | None) -> Checkpoint:
    """Look through a folder without loading its weights. Raises ModelLoadError."""
    folder = open_folder(folder)
    settings = read_json(folder, "config.json")
    kind = settings.get("model_type")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        raise _unfit(
            folder, f"its architecture {str(kind)[:40]!r} is not known to transformers {transformers.__version__}"
        )
    _check_weights(folder)
    try:
        config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:  # configurations of all kinds raise all kinds of errors
        raise _unfit(folder, "its config.json is malformed") from error
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise _unfit(folder, f"{kind} models do not write text")
    decoder = config.get_text_config(decoder=True)
    length = next((value for name in _LENGTHS if (value := getattr(decoder, name, None))), _UNKNOWN_LENGTH)
    return Checkpoint(folder, config, int(length), _eos_ids(folder, settings))


def load_model(checkpoint: Checkpoint, options: TorchOptions) -> Any:
    """The model, ready to compute on its device. Raises ModelLoadError or OutOfMemory."""
    folder = checkpoint.folder
    kind: Any = MODEL_FOR_CAUSAL_LM_MAPPING[type(checkpoint.config)]
    text = checkpoint.config.get_text_config(decoder=True)
    try:
        model, report = kind.from_pretrained(
            folder,
            # Where a checkpoint has more than text, its text part alone may be a model of its own.
            config=text if isinstance(text, kind.config_class) else checkpoint.config,
            dtype=options.dtype,
            attn_implementation="sdpa" if getattr(kind, "_supports_sdpa", False) else "eager",
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
            **quantization_config(options),
        )
        if not options.quantization:
            model = model.to(options.device)
    except Exception as error:  # the library's errors have no common base
        if is_memory(error):
            raise OutOfMemory(
                f"There is not enough memory to load {folder.name}. Choose a smaller model or a quantised one."
            ) from error
        raise _unfit(folder, "its weights do not fit its config.json, or are damaged") from error
    if report["missing_keys"] or report["mismatched_keys"]:
        raise _unfit(folder, f"{len(report['missing_keys'])} of its weights are missing")
    return model.eval()


def _check_weights(folder: Path) -> None:
    """All files of weights are safetensors and lie in the folder."""
    names = {"model.safetensors"}
    if (folder / _INDEX).exists():
        weights = read_json(folder, _INDEX).get("weight_map")
        names = set(weights.values()) if isinstance(weights, dict) else {""}
    elif not (folder / "model.safetensors").exists():
        raise _unfit(folder, "it has no weights in the safetensors format, and other formats can run programs")
    if not all(isinstance(name, str) and name.endswith(".safetensors") for name in names):
        raise _unfit(folder, f"{_INDEX} names files that are no safetensors")
    for name in sorted(names):
        inside(folder, name)


def _eos_ids(folder: Path, settings: dict[str, Any]) -> frozenset[int]:
    """What ends an answer: as the generation settings say, else the configuration."""
    generation = read_json(folder, "generation_config.json") if (folder / "generation_config.json").exists() else {}
    text = settings.get("text_config")
    places = (generation, settings, text if isinstance(text, dict) else {})
    found: Any = next((value for place in places if (value := place.get("eos_token_id")) is not None), [])
    ids = found if isinstance(found, list) else [found]
    if not all(type(item) is int for item in ids):
        raise _unfit(folder, "its eos_token_id is not a token")
    return frozenset(ids)


def _unfit(folder: Path, reason: str) -> ModelLoadError:
    return ModelLoadError(
        f"The model folder {folder.name} cannot be run by PyTorch: {reason}. "
        "Download it again, or choose another model."
    )
