"""Copies of the SQLite file on a slower, lasting disk: taken while people write, checked, rotated, put back at start.

A Space's own disk is lost whenever it restarts, and a mounted bucket is object storage on which SQLite must not work.
So the database stays on the local disk and whole copies of it go to the other one: SQLite's backup makes one on the
local disk, `integrity_check` looks at it, and it appears under its name by a rename, whole or not at all. Since not
every mount renames in one step, a copy is checked again before it is put back.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from playground.errors import StorageError

log = logging.getLogger(__name__)

KEPT = 5
"""How many copies stay; the oldest go."""
_NAME = re.compile(r"playground-\d{8}T\d{12}\.db")
_PAGES_AT_ONCE = 1024
_BUSY_SECONDS = 5.0


class Snapshots:
    """Copies `database` (a SQLite file) into `folder` every `seconds`, if there is something new. One thread's work."""

    def __init__(self, database: Path, folder: Path, seconds: float) -> None:
        self._database = database
        self._folder = folder
        self._seconds = seconds
        self._wake = threading.Event()
        self._closed = False
        self._lock = threading.Lock()
        self._seen: tuple[tuple[int, int], ...] = ()
        self._thread: threading.Thread | None = None

    def restore(self) -> Path | None:
        """Put back the newest sound copy if there is no database yet; returns it. Call it before anything is opened.

        Raises StorageError when there are copies and none of them is sound, or the folder cannot be read.
        """
        if self._database.exists():
            return None
        copies = self.copies()
        for copy in reversed(copies):
            if self._put_back(copy):
                log.info("restored the database from %s", copy.name)
                return copy
            log.warning("%s is damaged and was passed over", copy.name)
        if copies:
            raise StorageError(
                f"None of the {len(copies)} copies in {self._folder} is sound. Move them away to start anew, or put "
                "back one of your own."
            )
        return None

    def copies(self) -> list[Path]:
        """The copies there are, the oldest first. Raises StorageError."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return sorted(path for path in self._folder.iterdir() if _NAME.fullmatch(path.name))
        except OSError as error:
            raise StorageError(
                f"The folder of copies {self._folder} cannot be used ({error.strerror}). Check snapshot_dir."
            ) from error

    def start(self) -> None:
        """Begin to copy, on a thread of its own."""
        self._thread = threading.Thread(target=self._work, name="snapshots", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take a last copy and end; may be called twice."""
        self._closed = True
        self._wake.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def take(self) -> Path | None:
        """Copy now, unless nothing changed since the last time; returns the copy. Raises StorageError."""
        with self._lock:
            state = self._state()
            if state == self._seen or not self._database.exists():
                return None
            draft = self._database.with_name(f"{self._database.name}.copy")
            try:
                _back_up(self._database, draft)
                if not _is_sound(draft):
                    raise StorageError("The database is damaged, so it was not copied. The older copies are kept.")
                copy = self._publish(draft)
                self._rotate()
            except (OSError, sqlite3.Error) as error:
                name = getattr(error, "sqlite_errorname", type(error).__name__)
                raise StorageError(f"The database could not be copied to {self._folder} ({name}).") from error
            finally:
                draft.unlink(missing_ok=True)
            self._seen = state
            return copy

    def _state(self) -> tuple[tuple[int, int], ...]:
        """Changes whenever something is written: the file and its write-ahead log, by time and size."""
        files = (self._database, self._database.with_name(f"{self._database.name}-wal"))
        return tuple((stat.st_mtime_ns, stat.st_size) for file in files if file.exists() and (stat := file.stat()))

    def _publish(self, draft: Path) -> Path:
        name = f"playground-{datetime.now(UTC).strftime('%Y%m%dT%H%M%S%f')}.db"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = self._folder / f".{name}.partial"
        try:
            shutil.copyfile(draft, partial)
            _flush(partial)
            partial.replace(self._folder / name)
        finally:
            partial.unlink(missing_ok=True)
        return self._folder / name

    def _rotate(self) -> None:
        for old in self.copies()[:-KEPT]:
            old.unlink(missing_ok=True)

    def _put_back(self, copy: Path) -> bool:
        draft = self._database.with_name(f"{self._database.name}.restored")
        try:
            draft.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copyfile(copy, draft)
            if not _is_sound(draft):
                return False
            draft.replace(self._database)
        except OSError as error:
            raise StorageError(f"{copy.name} could not be put back ({error.strerror}). Check the disk.") from error
        finally:
            draft.unlink(missing_ok=True)
        return True

    def _work(self) -> None:
        while True:
            self._wake.wait(self._seconds)
            try:
                self.take()
            except StorageError as error:  # tried again at the next time
                log.warning("no snapshot: %s", error)
            if self._closed:
                return


def _back_up(source: Path, target: Path) -> None:
    """SQLite's online backup: a consistent picture, while others read and write. One file, without a log beside it."""
    target.unlink(missing_ok=True)
    with (
        closing(sqlite3.connect(source, timeout=_BUSY_SECONDS)) as old,
        closing(sqlite3.connect(target, timeout=_BUSY_SECONDS)) as new,
    ):
        old.backup(new, pages=_PAGES_AT_ONCE, sleep=0.01)
        new.execute("PRAGMA journal_mode=DELETE")


def _is_sound(file: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return bool(connection.execute("PRAGMA integrity_check").fetchone() == ("ok",))
    except sqlite3.Error:
        return False


def _flush(file: Path) -> None:
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
