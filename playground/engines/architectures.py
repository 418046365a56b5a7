"""Which architectures run without Python code from their repositories: those that `transformers` has itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from playground.errors import ModelLoadError

_TABLE = "CONFIG_MAPPING_NAMES"


@cache
def native_types() -> frozenset[str]:
    """Every `model_type` that the installed `transformers` knows.

    Its table is read as text: importing the library takes seconds and memory that the server has better use for.
    Raises ModelLoadError when it is not installed, or has no such table.
    """
    found = find_spec("transformers")
    folder = Path(found.origin).parent / "models" / "auto" if found and found.origin else Path()
    for name in ("auto_mappings.py", "configuration_auto.py"):
        if (folder / name).is_file():
            types = frozenset(_keys((folder / name).read_text(encoding="utf-8")))
            if types:
                return types
    raise ModelLoadError("transformers is not installed as expected. Install the pinned requirements again.")


def _keys(source: str) -> Iterator[str]:
    """The first text of every pair in `CONFIG_MAPPING_NAMES = OrderedDict([(type, class), ...])`."""
    for statement in ast.parse(source).body:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id == _TABLE for target in targets):
            for node in ast.walk(statement):
                if isinstance(node, ast.Tuple) and isinstance(node.elts[0], ast.Constant):
                    yield str(node.elts[0].value)
