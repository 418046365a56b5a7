"""The house as a whole: what may import what, what a start loads, and whether the map equals the tree."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from playground.config import PREFIX, Settings

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "transformers", "detoxify", "onnxruntime", "optimum", "onnx", "onnxruntime_genai")
ROOMS = ("playground", "training", "benchmarks", "spaces")

START = """
import sys
from playground.config import load_settings
from playground.services import build
from playground.server import build_app
services = build(load_settings([], {}))
try:
    build_app(services)
finally:
    services.close()
print(",".join(sorted(name for name in sys.modules if "." not in name)))
"""


def run(*command: str, cwd: Path = ROOT) -> str:
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=200, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_rooms_know_only_the_rooms_below_them() -> None:
    run(sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()")


def test_starting_the_app_loads_no_heavy_library(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    loaded = run(sys.executable, "-c", START, cwd=isolated).strip().split("\n")[-1].split(",")
    assert "gradio" in loaded
    assert not set(HEAVY) & set(loaded)


def test_views_do_not_import_gradio() -> None:
    views = list((ROOT / "playground/ui").rglob("*_view.py"))
    assert views
    for view in views:
        assert not re.search(r"^\s*(import|from) gradio", view.read_text(encoding="utf-8"), re.MULTILINE), view


def mapped() -> set[str]:
    """Paths in the README's file map: a fenced block of `name  what it is` lines, indented by two per level."""
    block = (ROOT / "README.md").read_text(encoding="utf-8").split("<!-- file map -->\n```text\n")[1].split("\n```")[0]
    paths, trail = set(), []
    for line in block.splitlines():
        name = line.split()[0]
        depth = (len(line) - len(line.lstrip())) // 2
        trail = [*trail[:depth], name.rstrip("/")]
        paths.add("/".join(trail))
    return paths


def tree() -> set[str]:
    """What the map must name: top-level files, every folder of the rooms, and every Python file in them."""
    tracked = [Path(name) for name in run("git", "ls-files", "--cached", "--others", "--exclude-standard").splitlines()]
    tracked = [path for path in tracked if (ROOT / path).exists()]
    files = {path for path in tracked if len(path.parts) == 1 and not path.name.startswith(".")}
    files |= {
        path for path in tracked if path.parts[0] in ROOMS and path.suffix == ".py" and path.name != "__init__.py"
    }
    folders = {Path(path.parts[0]) for path in tracked if len(path.parts) > 1}
    folders |= {folder for path in tracked if path.parts[0] in ROOMS for folder in list(path.parents)[:-1]}
    return {path.as_posix() for path in files | folders if path.parts[0] != "docs" or len(path.parts) == 1}


def test_the_map_in_the_readme_equals_the_tree() -> None:
    assert mapped() == tree()


def test_every_setting_is_documented() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = [item.name for item in fields(Settings) if f"`{item.name}`" not in text]
    assert not missing
    assert PREFIX in text


def test_nothing_tracked_names_this_machine() -> None:
    marks = [re.compile(mark) for mark in ("/wor" + "k/", r"\.\./sha" + "red", r"/ro" + r"ot/\.")]
    for name in run("git", "ls-files").splitlines():
        path = ROOT / name
        if not path.is_file():
            continue
        text = path.read_bytes().decode("utf-8", errors="ignore")
        assert not [mark.pattern for mark in marks if mark.search(text)], name
