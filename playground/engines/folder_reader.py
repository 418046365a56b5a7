"""Files of a model folder, read so that a stranger's folder can do no harm.

Only plain files inside the folder are read; names in a configuration cannot lead out of it; whatever is missing or
damaged becomes one sentence.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from playground.errors import ModelLoadError

MAX_JSON_BYTES = 128 * 2**20
ADVICE = "Download or convert the model again."


def open_folder(folder: Path | None) -> Path:
    """The folder's true place. Raises ModelLoadError when there is none."""
    if folder is None:
        raise ModelLoadError("The model has no folder in the catalogue. Add its path to the catalogue entry.")
    if not folder.is_dir():
        raise ModelLoadError(f"The model folder {folder.name} does not exist. {ADVICE}")
    return folder.resolve()


def inside(folder: Path, name: object, below: str = "") -> Path:
    """The file of that name in the folder, or in its sub-folder `below`. Raises ModelLoadError for any other place."""
    path = (folder / below / str(name)).resolve()
    if path.parent != folder / below:
        raise ModelLoadError(
            f"A file of the model folder {folder.name} lies outside of it, which is not allowed. "
            "Use a folder that holds its files itself."
        )
    if not path.is_file():
        raise ModelLoadError(f"The model folder {folder.name} has no file {path.name}. {ADVICE}")
    return path


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """The object in a JSON file. Raises ModelLoadError."""
    text = read_text(folder, name)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ModelLoadError(f"{name} of the model folder {folder.name} is damaged. {ADVICE}")
    return value


def read_text(folder: Path, name: str) -> str:
    """A text file, of a size that is possible. Raises ModelLoadError."""
    path = inside(folder, name)
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise ModelLoadError(f"{name} of the model folder {folder.name} is too large to be real. {ADVICE}")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelLoadError(f"{name} of the model folder {folder.name} cannot be read. {ADVICE}") from error
