"""Where models lie: `<owner>--<name>/<commit>/` with plain files, and beside it what was made of them.

`refs.json` of a model remembers which commit a branch stood for when it was fetched, so that what is here is found
again without asking anybody.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playground.catalog.hub_client import Cancel, wait
from playground.catalog.references import is_commit, is_repo_id
from playground.catalog.spec import ModelSource, ModelSpec
from playground.catalog.strict_json import parse_object
from playground.errors import DiskFull, ModelLoadError
from playground.library.manifest import find_selection, read_manifest, write_whole

_REFS = "refs.json"
_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")


# Beside the folders of a model that ships: the checksums of their files.
_SUMS = "SHA256SUMS"


@dataclass(frozen=True, slots=True)
class Found:
    """A model's files: the folder that a loader or a converter reads, and the folder of its commit."""

    folder: Path
    home: Path
    key: str


class Shelf:
    """The folder of all models. Nothing is made in it before there is something to keep."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def home(self, spec: ModelSpec) -> Path:
        """The folder of everything that belongs to a model's repository, or to a folder of this machine."""
        source = spec.source or ModelSource()
        if source.repo:
            if not is_repo_id(source.repo):
                raise ModelLoadError(f"{spec.id} comes from {source.repo!r}, which is no Hub id. Correct its row.")
            return self.root / source.repo.replace("/", "--")
        path = str(spec.path or "")
        return self.root / f"local--{_PLAIN.sub('-', Path(path).name)}-{_short(path)}"

    def commit(self, spec: ModelSpec) -> str:
        """The commit that the model's revision stands for as far as is known here; empty if it is not."""
        revision = spec.source.revision if spec.source else ""
        return revision if is_commit(revision) else self._refs(self.home(spec)).get(revision, "")

    def remember(self, spec: ModelSpec, commit: str) -> None:
        """From now on the model's revision stands for this commit."""
        home, revision = self.home(spec), spec.source.revision if spec.source else ""
        if not is_commit(revision):
            write_whole(home / _REFS, json.dumps(self._refs(home) | {revision: commit}, indent=1))

    def find(self, spec: ModelSpec) -> Found | None:
        """The model's files if they are here, whole."""
        source, home = spec.source or ModelSource(), self.home(spec)
        if not source.repo:
            if spec.path is None or not spec.path.is_dir():
                return None
            return Found(spec.path, home, f"local-{_fingerprint(spec.path)}")
        commit = self.commit(spec)
        folder = home / commit
        manifest = read_manifest(folder) if commit else None
        selection = find_selection(manifest, source) if manifest else ""
        if manifest is None or not manifest.has(folder, selection):
            return None
        variant = selection.partition(" ")[2] if source.format == "genai" else ""
        return Found(folder / variant, home, commit)

    def revision(self, spec: ModelSpec) -> str:
        """What tells these files of a model from its others: the commit, or a hash for a folder; empty without files.

        That of a model that ships is made of its checksums, and so the same on every machine.
        """
        if spec.source is not None:
            found = self.find(spec)
            return found.key if found is not None else ""
        if spec.path is None or not spec.path.is_dir():
            return ""
        sums = spec.path.parent / _SUMS
        own = [line for line in _lines(sums) if line.partition("  ")[2].startswith(f"{spec.path.name}/")]
        return hashlib.sha256("\n".join(own).encode()).hexdigest()[:40] if own else f"local-{_fingerprint(spec.path)}"

    def bytes_of(self, spec: ModelSpec) -> int:
        """Bytes on the disk: whole files, parts, and what was made of them."""
        return sum(path.stat(follow_symlinks=False).st_size for path in _files(self.home(spec)))

    def bytes_used(self) -> dict[str, int]:
        """Bytes by the folder of each model."""
        if not self.root.is_dir():
            return {}
        homes = [home for home in sorted(self.root.iterdir()) if home.is_dir() and not home.is_symlink()]
        return {home.name: sum(path.stat(follow_symlinks=False).st_size for path in _files(home)) for home in homes}

    def remove(self, spec: ModelSpec) -> int:
        """Delete all that is here of a model; returns the bytes that are free now. A folder of its own stays."""
        freed = self.bytes_of(spec)
        try:
            shutil.rmtree(self.home(spec), ignore_errors=False)
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise DiskFull(
                f"The files of {spec.name} cannot be deleted ({error.strerror}). Delete them by hand."
            ) from error
        return freed

    @contextmanager
    def lock(self, spec: ModelSpec, cancelled: Cancel) -> Iterator[None]:
        """Be the only one, in any process, who changes this model's folder. Raises Cancelled, DiskFull."""
        from filelock import FileLock, Timeout  # noqa: PLC0415

        try:
            self.root.mkdir(parents=True, exist_ok=True)
            held = FileLock(self.root / f".{self.home(spec).name}.lock")
            while True:
                try:
                    held.acquire(timeout=0)
                    break
                except Timeout:
                    wait(0.2, cancelled)
        except OSError as error:
            raise DiskFull(f"The models folder cannot be written ({error.strerror}). Check its permissions.") from error
        try:
            yield
        finally:
            held.release()

    def _refs(self, home: Path) -> dict[str, str]:
        try:
            refs = parse_object((home / _REFS).read_bytes())
        except (OSError, ValueError):
            return {}
        return {name: commit for name, commit in refs.items() if is_commit(commit)}


def free_bytes(folder: Path) -> int:
    """Free bytes on the disk that holds a folder, which may not exist yet."""
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(existing).free


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder, followlinks=False):
        yield from (Path(parent) / name for name in names)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def _fingerprint(folder: Path) -> str:
    """Changes whenever a file of the folder does, by name, size or time of change."""
    facts = [
        (path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(folder.iterdir()) if path.is_file()
    ]
    return _short(repr(facts))


def _short(text: str) -> str:
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=6).hexdigest()
