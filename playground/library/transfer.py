"""One file from the Hub to the disk: resumed after a cut, no longer than announced, kept only with the right hash.

Why not `hf_hub_download(local_dir=...)`: it compares sizes but no hashes, cannot be stopped from another thread, tells
its progress to a terminal only, and follows redirects to any host. A plain GET with a Range is all that a file takes.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from playground.catalog.hub_client import Cancel, HubClient, trouble
from playground.catalog.repository import RepoFile
from playground.errors import Cancelled, DamagedFile, DiskFull, HubUnreachable

_ENOUGH = 1 << 16
Arrived = Callable[[int], None]
"""Told the bytes of this file that are on the disk, whenever that changes."""


class Transfer:
    """Fetches `file` from `address` into `folder`, through a `.part` beside its place.

    `cached` may be the same file in another place; it is copied instead, if it has the right hash.
    """

    def __init__(
        self,
        client: HubClient,
        address: str,
        repo: str,
        file: RepoFile,
        folder: Path,
        *,
        cancelled: Cancel,
        cached: Path | None = None,
    ) -> None:
        self._client = client
        self._address = address
        self._repo = repo
        self._file = file
        self._cancelled = cancelled
        self._cached = cached
        self._target = folder / file.path
        self._part = self._target.with_name(f"{self._target.name}.part")

    def run(self, arrived: Arrived) -> None:
        """Fetch it, unless it is there; what arrives is kept for the next time, whatever happens.

        Raises HubError, DiskFull, Cancelled; DamagedFile after two whole files with the wrong hash.
        """
        if part_size(self._target) == self._file.size and self._is_right(self._target):
            arrived(self._file.size)
            return
        self._copy_cached()
        for last in (False, True):
            try:
                self._fetch(arrived)
                self._verify()
            except DamagedFile:
                self._part.unlink(missing_ok=True)
                arrived(0)
                if last:
                    raise
            else:
                self._part.replace(self._target)
                return

    def _copy_cached(self) -> None:
        """Begin with what is cached; if it proves wrong, it is fetched like any damaged file."""
        if self._cached is None or part_size(self._part) or part_size(self._cached) != self._file.size:
            return
        try:
            self._part.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self._cached, self._part)
        except OSError as error:
            raise disk_error(error, self._file.size) from error

    def _fetch(self, arrived: Arrived) -> None:
        """Trouble that may pass is waited out; whenever a good piece came, patience begins anew."""
        while True:
            before = part_size(self._part)
            try:
                self._client.patiently(partial(self._fetch_once, arrived, before), self._cancelled)
            except _Progressed:
                continue
            return

    def _fetch_once(self, arrived: Arrived, before: int) -> None:
        start = part_size(self._part)
        if start - before >= _ENOUGH:
            raise _Progressed
        if start >= self._file.size and self._file.size:
            return
        try:
            self._append(start, arrived)
        except OSError as error:
            raise disk_error(error, self._file.size - start) from error

    def _append(self, start: int, arrived: Arrived) -> None:
        headers = {"Range": f"bytes={start}-"} if start else {}
        with self._client.open(self._address, headers, self._repo) as response:
            if response.status_code == 416 or (response.status_code == 206 and not _begins_at(response, start)):
                raise DamagedFile(_damaged(self._repo, self._file.path))
            if response.status_code == 200:
                start = 0
            self._part.parent.mkdir(parents=True, exist_ok=True)
            with self._part.open("r+b" if start else "wb") as out:
                out.seek(start)
                done = self._copy(response, out, start, arrived)
        if done < self._file.size:
            raise self._broken()

    def _copy(self, response: Any, out: Any, done: int, arrived: Arrived) -> int:
        with trouble(self._client.endpoint):
            blocks = response.iter_raw()  # as they arrive: larger blocks would be lost when the connection breaks
        while True:
            if self._cancelled():
                raise Cancelled("The download was stopped. What has arrived is kept.")
            try:
                with trouble(self._client.endpoint):
                    block = next(blocks, b"")
            except HubUnreachable as error:
                raise self._broken() from error
            if not block:
                return done
            done += len(block)
            if done > self._file.size:
                raise DamagedFile(_damaged(self._repo, self._file.path))
            out.write(block)
            out.flush()
            arrived(done)

    def _broken(self) -> HubUnreachable:
        return HubUnreachable(
            f"The connection broke while {self._file.path} was arriving. Try again: it goes on where it stopped."
        )

    def _verify(self) -> None:
        if self._file.size == 0 and not self._part.exists():
            self._part.touch()
        if part_size(self._part) != self._file.size or not self._is_right(self._part):
            raise DamagedFile(_damaged(self._repo, self._file.path))

    def _is_right(self, path: Path) -> bool:
        """SHA-256 for files in large-file storage, else git's SHA-1 of a blob (its length, a zero byte, its bytes)."""
        if self._file.sha256:
            digest: Any = hashlib.sha256()
            wanted = self._file.sha256
        else:
            digest = hashlib.sha1(b"blob %d\0" % self._file.size, usedforsecurity=False)
            wanted = self._file.git_sha1
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
                if self._cancelled():
                    raise Cancelled("The download was stopped. What has arrived is kept.")
        return bool(digest.hexdigest() == wanted)


class _Progressed(Exception):
    """Bytes came since patience began."""


def part_size(path: Path) -> int:
    """Bytes of a file that is on its way; 0 when there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _begins_at(response: Any, start: int) -> bool:
    return str(response.headers.get("Content-Range", "")).startswith(f"bytes {start}-")


def _damaged(repo: str, path: str) -> str:
    return (
        f"{path} of {repo} arrived twice, but it is not the file that the Hub announced, so it was deleted. "
        "Try again later; if it stays so, choose another model."
    )


def disk_error(error: OSError, needed: int) -> DiskFull:
    """What a failed write means in words; `needed` bytes were still to come (0: not known)."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        missing = f"; {needed / 1e9:.2f} GB are still missing" if needed else ""
        return DiskFull(f"The disk is full{missing}. Free some space and try again.")
    reason = error.strerror or os.strerror(error.errno or 0)
    return DiskFull(f"The models folder cannot be written ({reason}). Check its permissions and try again.")
