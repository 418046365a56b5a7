"""What of a repository is here, whole and verified: `manifest.json` in the folder of a commit, written last.

A folder without one, or a file that it does not name, is a download that has not ended. `selections` says which files
make one way of using the repository (`transformers`, `onnx q4`, ...), so that several share a folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playground.catalog.repository import Offer, RepoFile, check_path
from playground.catalog.spec import ModelSource
from playground.catalog.strict_json import parse_object
from playground.errors import RefusedRepository

NAME = "manifest.json"
_LARGEST = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files that are here, by path, and which of them make a selection."""

    repo: str
    commit: str
    files: dict[str, RepoFile] = field(default_factory=dict)
    selections: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def with_offer(self, offer: Offer) -> Manifest:
        """The manifest once this offer's files are here as well."""
        files = self.files | {file.path: file for file in offer.files}
        name = selection_of(ModelSource(format=offer.format, variant=offer.variant))
        selections = self.selections | {name: tuple(file.path for file in offer.files)}
        return Manifest(self.repo, self.commit, files, selections)

    def has(self, folder: Path, selection: str) -> bool:
        """Whether every file of the selection lies in the folder with its size. Hashes were compared on arrival."""
        paths = self.selections.get(selection, ())
        return bool(paths) and all(_size(folder / path) == self.files[path].size for path in paths)


def selection_of(source: ModelSource) -> str:
    """The name of a way of using a repository."""
    return f"{source.format} {source.variant}".strip()


def find_selection(manifest: Manifest, source: ModelSource) -> str:
    """The selection a catalogue row means: its own, or without a variant the first of its format; empty if none."""
    wanted = selection_of(source)
    if source.variant:
        return wanted if wanted in manifest.selections else ""
    return next((name for name in manifest.selections if name.split(" ")[0] == source.format), "")


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder; None when there is none that can be read, which means that nothing is here for sure."""
    try:
        path = folder / NAME
        if path.stat().st_size > _LARGEST:
            return None
        return _parsed(parse_object(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, RefusedRepository):
        return None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Put the manifest into the folder, at once and whole."""
    content = {
        "repo": manifest.repo,
        "commit": manifest.commit,
        "files": {
            file.path: {"size": file.size, "sha256": file.sha256, "git_sha1": file.git_sha1}
            for file in manifest.files.values()
        },
        "selections": {name: list(paths) for name, paths in manifest.selections.items()},
    }
    write_whole(folder / NAME, json.dumps(content, indent=1, sort_keys=True))


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a crash leaves either the old one or the new one."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _parsed(content: dict[str, Any]) -> Manifest:
    files = {
        path: RepoFile(path, int(item["size"]), str(item["sha256"]), str(item["git_sha1"]))
        for path, item in content["files"].items()
    }
    selections = {str(name): tuple(map(str, paths)) for name, paths in content["selections"].items()}
    _check(str(content["repo"]), files, selections.values())
    return Manifest(str(content["repo"]), str(content["commit"]), files, selections)


def _check(repo: str, files: dict[str, RepoFile], selections: Iterable[tuple[str, ...]]) -> None:
    for path in files:
        check_path(repo, path)
    if not all(path in files for paths in selections for path in paths):
        raise ValueError("a selection names a file that is not there")


def _size(path: Path) -> int:
    try:
        return path.stat(follow_symlinks=False).st_size
    except OSError:
        return -1
