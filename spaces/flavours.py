"""The kinds of Spaces there are, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

PORT = 7860
"""Where a Space is asked for its page."""
PYTHON = "3.12"
MOUNT = "/data"
"""Where a storage bucket is mounted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavour:
    """One kind of Space.

    `hardware` is what it is made for; `free` says that it costs nothing, so that it is asked for without being told to.
    `files` are those of this folder that it needs, with the names they get. `settings` go to its `playground.toml`.
    `engine` is the one that computes there; `model` is asked first unless another one is chosen.
    """

    name: str
    sdk: Literal["gradio", "docker"]
    hardware: str
    free: bool
    engine: str
    model: str
    files: Mapping[str, str]
    settings: Mapping[str, str | int | bool] = field(default_factory=dict)
    emoji: str = "🛝"


# A Space's proxy asks from another machine.
_SERVED: dict[str, str | int | bool] = {"host": "0.0.0.0", "port": PORT}

FLAVOURS: dict[str, Flavour] = {
    flavour.name: flavour
    for flavour in (
        Flavour(
            name="zerogpu",
            sdk="gradio",
            hardware="zero-a10g",
            free=True,
            engine="torch",
            model="qwen3-4b-2507",
            files={"zerogpu/app.py": "app.py", "zerogpu/requirements.txt": "requirements.txt"},
            settings={**_SERVED, "max_models": 4, "kv_cache_mb": 8192, "model_stall_seconds": 180},
        ),
        Flavour(
            name="cpu",
            sdk="gradio",
            hardware="cpu-basic",
            free=True,
            engine="onnx",
            model="pip",
            files={"cpu/requirements.txt": "requirements.txt"},
            settings={**_SERVED, "device": "cpu"},
        ),
        Flavour(
            name="docker",
            sdk="docker",
            hardware="t4-small",
            free=False,
            engine="torch",
            model="qwen3-4b-2507",
            files={"docker/Dockerfile": "Dockerfile", "docker/requirements.txt": "requirements.txt"},
            settings={**_SERVED, "kv_cache_mb": 4096},
        ),
    )
}
