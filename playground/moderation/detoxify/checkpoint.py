"""What is in a Detoxify checkpoint, read only after its hash was checked, and without running code from it.

Detoxify's own loader unpickles with `weights_only=False`, which runs whatever a checkpoint says. Here PyTorch's
restricted unpickler builds tensors and plain containers, and refuses everything else.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playground.errors import DetectorUnavailable
from playground.moderation.detoxify.variants import CONFIG, LABELS, OLD_NAMES, TOKENIZER, Variant

if TYPE_CHECKING:
    from torch import Tensor

PINS = "sha256.json"
_BUFFERS = (".position_ids", ".token_type_ids")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`labels` name the first outputs of the network, in order; it may have more outputs than that."""

    labels: tuple[str, ...]
    weights: Mapping[str, Tensor]


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify_files(folder: Path, variant: Variant, *, trust_first_use: bool = True) -> str:
    """Check every file of a model against its known or pinned hash; returns one hash for all of them together.

    A file whose full hash is not known is pinned at its first use, in `sha256.json` beside it; with `trust_first_use`
    false such a file is refused instead. Raises DetectorUnavailable when a file is missing or not the one expected.
    """
    names = (variant.checkpoint, CONFIG, TOKENIZER)
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise DetectorUnavailable(
            f"The Detoxify model {variant.name} is not installed ({', '.join(missing)} missing). "
            f"Install it with: python -m playground.moderation.detoxify {variant.name}"
        )
    pins = _read_pins(folder / PINS)
    known = dict(pins)
    digests = {}
    for name in names:
        digest = digests[name] = file_digest(folder / name)
        expected = pins.get(name, "")
        prefix = variant.sha256 if name == variant.checkpoint else ""
        if not digest.startswith(prefix) or (expected and digest != expected):
            raise DetectorUnavailable(
                f"{name} of the Detoxify model {variant.name} is not the file expected (SHA-256 differs). "
                f"Delete it and install the model again; if you replaced it on purpose, delete {PINS} beside it too."
            )
        if not expected and len(prefix) < 64:
            _pin(known, name, digest, trust_first_use)
    if known != pins:
        _write_pins(folder / PINS, known)
    return hashlib.sha256("".join(digests[name] for name in names).encode()).hexdigest()


def _pin(known: dict[str, str], name: str, digest: str, trust_first_use: bool) -> None:
    if not trust_first_use:
        raise DetectorUnavailable(
            f"{name} has no known SHA-256 and trust on first use is off. Add its hash to {PINS} beside it."
        )
    known[name] = digest


def _read_pins(path: Path) -> dict[str, str]:
    try:
        pins = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise DetectorUnavailable(f"{PINS} of a Detoxify model cannot be read; mend or delete it.") from error
    if not isinstance(pins, dict) or not all(isinstance(value, str) and len(value) == 64 for value in pins.values()):
        raise DetectorUnavailable(f"{PINS} of a Detoxify model must map file names to hashes; mend or delete it.")
    return pins


def _write_pins(path: Path, pins: Mapping[str, str]) -> None:
    try:
        path.write_text(json.dumps(dict(sorted(pins.items())), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise DetectorUnavailable(f"{PINS} cannot be written beside a Detoxify model; allow writing there.") from error


def read_checkpoint(path: Path, variant: Variant) -> Checkpoint:
    """Labels and weights of a checkpoint, whose hash the caller has verified.

    Raises DetectorUnavailable when the file is damaged, holds anything but tensors and plain data, or is not a Detoxify
    checkpoint of this variant's architecture.
    """
    import torch  # noqa: PLC0415

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise DetectorUnavailable(
            f"The checkpoint of the Detoxify model {variant.name} holds more than weights and was not loaded; "
            "nothing in it was run. Delete it and install the model again."
        ) from error
    except Exception as error:
        raise DetectorUnavailable(
            f"The checkpoint of the Detoxify model {variant.name} is damaged. Delete it and install the model again."
        ) from error
    try:
        architecture = content["config"]["arch"]["args"]
        labels = tuple(OLD_NAMES.get(name, name) for name in content["config"]["dataset"]["args"]["classes"])
        weights = {name: value for name, value in content["state_dict"].items() if not name.endswith(_BUFFERS)}
        complete = bool(labels) and all(isinstance(value, torch.Tensor) for value in weights.values())
        model_class = architecture["model_name"]
    except (KeyError, TypeError, AttributeError) as error:
        raise _unfit(variant) from error
    if not complete or model_class != variant.model_class or not set(labels) <= set(LABELS):
        raise _unfit(variant)
    return Checkpoint(labels, weights)


def _unfit(variant: Variant) -> DetectorUnavailable:
    return DetectorUnavailable(
        f"The checkpoint is not one of the Detoxify model {variant.name}. Choose the variant it was made for."
    )


def read_config(folder: Path) -> dict[str, Any]:
    """The network's dimensions. Raises DetectorUnavailable when the file is not a JSON object."""
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DetectorUnavailable(f"{CONFIG} of a Detoxify model cannot be read; install the model again.") from error
    if not isinstance(config, dict):
        raise DetectorUnavailable(f"{CONFIG} of a Detoxify model is not an object; install the model again.")
    return config
