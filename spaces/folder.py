"""A Space's folder, built from this checkout: tracked files only, and what its flavour adds."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from playground.errors import ConfigError
from spaces.flavours import PORT, PYTHON, Flavour

ROOT = Path(__file__).parents[1]
NEEDED = ("app.py", "LICENSE", "playground")
"""What every Space runs; the rest of the checkout stays here."""
MOST_BYTES = 200 * 2**20
MOST_FILE_BYTES = 50 * 2**20
_STARTUP = "1h"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What the person who deploys chose. `models` are ids of the catalogue, the default one first.

    `repositories` are those on the Hub that they come from; `preload` are lines of the front matter for them.
    """

    title: str
    models: tuple[str, ...]
    repositories: tuple[str, ...] = ()
    preload: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Built:
    """A finished folder: bytes by path. `commit` is that of the checkout; `dirty` if files differ from it."""

    folder: Path
    files: Mapping[str, int]
    commit: str
    dirty: bool

    @property
    def total(self) -> int:
        """Bytes of all files."""
        return sum(self.files.values())


def build_folder(flavour: Flavour, content: Content, folder: Path, root: Path = ROOT) -> Built:
    """Fill an empty folder. Raises ConfigError when it is not empty, nothing is tracked, or a file is too big."""
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"The folder {folder} is not empty. Name another one, or remove what is in it.")
    for name in tracked_files(root):
        _copy(root / name, folder / name)
    for source, name in flavour.files.items():
        _copy(Path(__file__).parent / source, folder / name)
    chosen = {"default_model": content.models[0], "fetch_at_start": ",".join(content.models)}
    _write(folder / "playground.toml", render_settings({**flavour.settings, **chosen}))
    _write(folder / "README.md", render_readme(flavour, content, root))
    files = {
        path.relative_to(folder).as_posix(): path.stat().st_size for path in sorted(folder.rglob("*")) if path.is_file()
    }
    _check_sizes(files)
    status = _git(root, "status", "--porcelain", "--untracked-files=no", "--", *NEEDED, "spaces")
    return Built(folder, files, _git(root, "rev-parse", "--short", "HEAD").strip(), bool(status.strip()))


def tracked_files(root: Path = ROOT) -> list[str]:
    """The tracked files that a Space needs. Raises ConfigError where there is no checkout, or one with links."""
    names = [name for name in _git(root, "ls-files", "-z", "--", *NEEDED).split("\0") if name]
    if "app.py" not in names:
        raise ConfigError(f"{root} has no tracked app.py. Deploy from a checkout of the playground.")
    for name in names:
        if (root / name).is_symlink():
            raise ConfigError(f"{name} is a link; a Space gets plain files only. Replace it by what it points to.")
    return [name for name in names if (root / name).is_file()]


def render_settings(settings: Mapping[str, str | int | bool]) -> str:
    """`playground.toml` for these settings."""
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in settings.items()]
    return "\n".join(
        ["# Settings of this Space; variables such as PLAYGROUND_DEFAULT_MODEL win over them.", *lines, ""]
    )


def render_readme(flavour: Flavour, content: Content, root: Path = ROOT) -> str:
    """The front matter that the Hub reads, and a page for people. Values are JSON, which YAML is a superset of."""
    facts: dict[str, object] = {
        "title": content.title,
        "emoji": flavour.emoji,
        "colorFrom": "indigo",
        "colorTo": "gray",
        "sdk": flavour.sdk,
    }
    if flavour.sdk == "gradio":
        facts |= {"sdk_version": pinned("gradio", root), "python_version": PYTHON, "app_file": "app.py"}
    else:
        facts |= {"app_port": PORT}
    facts |= {
        "suggested_hardware": flavour.hardware,
        "startup_duration_timeout": _STARTUP,
        "header": "mini",
        "fullWidth": True,
        "license": "apache-2.0",
        "short_description": "Chat with open models, screened before display",
        "models": list(content.repositories),
        "preload_from_hub": list(content.preload),
    }
    front = "\n".join(
        f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in facts.items() if value not in ([], "")
    )
    return f"""---
{front}
---

# {content.title}

A playground for open language models: every message and every answer is screened before it is displayed. This Space
was built with `python -m spaces.deploy`, flavour `{flavour.name}`; its settings are in `playground.toml`. Changes made
here are overwritten by the next deployment.
"""


def pinned(package: str, root: Path = ROOT) -> str:
    """The version of a package that the playground pins. Raises ConfigError when it does not."""
    for line in (root / "requirements.txt").read_text(encoding="utf-8").splitlines():
        name, _, version = line.partition("==")
        if name.strip().lower() == package and version:
            return version.strip()
    raise ConfigError(f"requirements.txt does not pin {package}. Add a line {package}==VERSION.")


def _check_sizes(files: Mapping[str, int]) -> None:
    for name, size in files.items():
        if size > MOST_FILE_BYTES:
            raise ConfigError(
                f"{name} has {size / 1e6:.0f} MB; a file of a Space may have {MOST_FILE_BYTES / 1e6:.0f} MB. "
                "Put models on the Hub and name them with --model."
            )
    if sum(files.values()) > MOST_BYTES:
        raise ConfigError(
            f"The folder has {sum(files.values()) / 1e6:.0f} MB; {MOST_BYTES / 1e6:.0f} MB are allowed. "
            "Put models on the Hub and name them with --model."
        )


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _git(root: Path, *arguments: str) -> str:
    command: Sequence[str] = ("git", "-C", str(root), *arguments)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError("git cannot be run. Install it: a Space is built from tracked files.") from error
    if done.returncode != 0:
        raise ConfigError(f"{root} is not a git checkout. Deploy from a clone of the playground.")
    return done.stdout
