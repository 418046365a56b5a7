"""A repository's files onto the shelf: what is missing, if there is room for it, one after the other, manifest last."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playground.catalog.hub import Hub, Inspection
from playground.catalog.hub_client import Cancel
from playground.catalog.repository import Offer, RepoFile, choose_offer
from playground.catalog.spec import ModelSource, ModelSpec
from playground.domain import Loading, Stage
from playground.engines.contract import Progress
from playground.errors import DiskFull
from playground.library.manifest import Manifest, read_manifest, write_manifest
from playground.library.pace import Pace
from playground.library.shelf import Shelf, free_bytes
from playground.library.transfer import Transfer, part_size

_SPARE = 256 * 2**20
"""Bytes that a download leaves free."""


class Fetcher:
    """Brings models from the Hub to the shelf. `inspected` looks at a repository first, and raises what it refuses."""

    def __init__(
        self, hub: Hub, shelf: Shelf, inspected: Callable[[Inspection], None], free: Callable[[Path], int] = free_bytes
    ) -> None:
        self._hub = hub
        self._shelf = shelf
        self._inspected = inspected
        self._free = free

    def fetch(self, spec: ModelSpec, progress: Progress, cancelled: Cancel) -> None:
        """Fetch the files that the row means; those that are here already stay.

        Raises HubError, DiskFull, Cancelled. What has arrived by then is kept, and counted next time.
        """
        source = spec.source or ModelSource()
        progress(Loading(Stage.DOWNLOADING))
        inspection = self._hub.inspect(source.repo, source.revision)
        self._inspected(inspection)
        offer = choose_offer(inspection.repo, inspection.offers, source)
        folder = self._shelf.home(spec) / inspection.commit
        manifest = read_manifest(folder) or Manifest(inspection.repo, inspection.commit)
        missing = [file for file in offer.files if manifest.files.get(file.path) != file or not _is_here(folder, file)]
        self._check_room(spec, folder, missing)
        self._bring(inspection, missing, folder, _Tally(offer, missing, progress), cancelled)
        write_manifest(folder, manifest.with_offer(offer))
        self._shelf.remember(spec, inspection.commit)

    def _check_room(self, spec: ModelSpec, folder: Path, missing: list[RepoFile]) -> None:
        here = sum(min(file.size, part_size(_part(folder, file))) for file in missing)
        needed, free = sum(file.size for file in missing) - here, self._free(folder)
        if missing and needed + _SPARE > free:
            raise DiskFull(
                f"{spec.name} needs {needed / 1e9:.2f} GB more and {_SPARE / 1e9:.2f} GB to spare, and the disk has "
                f"{free / 1e9:.2f} GB free. Remove a model that is not used, and try again."
            )

    def _bring(
        self, inspection: Inspection, missing: list[RepoFile], folder: Path, tally: _Tally, cancelled: Cancel
    ) -> None:
        for file in sorted(missing, key=lambda file: file.size):  # small ones first: mistakes are found early
            tally.arrived(part_size(_part(folder, file)))
            address = self._hub.address(inspection.repo, inspection.commit, file.path)
            transfer = Transfer(
                self._hub.client,
                address,
                inspection.repo,
                file,
                folder,
                cancelled=cancelled,
                cached=_cached(inspection.repo, file),
            )
            transfer.run(tally.arrived)
            tally.finish(file)


class _Tally:
    """Adds up the bytes of all files and tells how far the whole is."""

    def __init__(self, offer: Offer, missing: list[RepoFile], progress: Progress) -> None:
        self._pace = Pace(offer.size_bytes)
        self._before = offer.size_bytes - sum(file.size for file in missing)
        self._progress = progress

    def arrived(self, now: int) -> None:
        news = self._pace.note(self._before + now)
        if news is not None:
            fraction = news.done / news.total if news.total else 1.0
            self._progress(Loading(Stage.DOWNLOADING, fraction, download=news))

    def finish(self, file: RepoFile) -> None:
        self._before += file.size


def _cached(repo: str, file: RepoFile) -> Path:
    """Where the Hub's own library keeps this file, if it does: a Space finds there what was fetched as it was built."""
    from huggingface_hub import constants  # noqa: PLC0415

    folder = Path(constants.HF_HUB_CACHE) / f"models--{repo.replace('/', '--')}" / "blobs"
    return folder / (file.sha256 or file.git_sha1)


def _is_here(folder: Path, file: RepoFile) -> bool:
    return part_size(folder / file.path) == file.size


def _part(folder: Path, file: RepoFile) -> Path:
    path = folder / file.path
    return path.with_name(f"{path.name}.part")
