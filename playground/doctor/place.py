"""Where the playground is to work: its folder, its database, its address, and who may reach it."""

from __future__ import annotations

import http.client
import json
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.engine import make_url

from playground.config import Settings
from playground.doctor.findings import Finding, fix, note, ok
from playground.doctor.machine import nearest
from playground.errors import PlaygroundError
from playground.loopback import is_loopback
from playground.storage.database import Database
from playground.storage.migrations import PROBE, pending

_REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "lustre", "fuse.sshfs"})
_SECONDS = 2.0


def examine_copies(folder: Path) -> Finding:
    """Whether the folder for copies of the database can be written; it may be on a network disk."""
    reason = unwritable(folder)
    if reason:
        return fix("Snapshots", f"{folder} cannot be written ({reason})", "Allow writing there, or empty snapshot_dir.")
    return ok("Snapshots", str(folder))


def unwritable(folder: Path) -> str:
    """Why nothing can be written there, "" when it can."""
    try:
        with tempfile.TemporaryFile(dir=nearest(folder)):
            return ""
    except OSError as error:
        return error.strerror or type(error).__name__


def examine_folder(folder: Path, mounts: Path = Path("/proc/mounts")) -> Finding:
    """Whether the data folder can be written, and lies on a disk on which SQLite keeps its promises."""
    if reason := unwritable(folder):
        advice = "Allow writing there, or choose another folder with --data-dir."
        return fix("Data folder", f"{folder} cannot be written ({reason})", advice)
    kind = file_system(nearest(folder), mounts)
    if kind in _REMOTE:
        advice = "SQLite loses data on network disks: choose a local folder with --data-dir, or another database."
        return fix("Data folder", f"{folder} is on a network disk ({kind})", advice)
    return ok("Data folder", str(folder) if folder.exists() else f"{folder} will be made")


def file_system(folder: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """The kind of file system that a folder lies on; "" where the system does not tell."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    rows = [line.split()[1:3] for line in lines if len(line.split()) > 2]
    around = [(place, kind) for place, kind in rows if folder.resolve().is_relative_to(place.replace("\\040", " "))]
    return max(around, key=lambda row: len(row[0]), default=("", ""))[1]


def examine_database(settings: Settings) -> Finding:
    """Whether it opens, can be written, and of which version it is. Nothing is made or migrated."""
    url = make_url(settings.resolved_database_url)
    if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).exists():
        return ok("Database", f"{url.database} will be made")
    try:
        database = Database(settings.resolved_database_url)
        try:
            steps = pending(database)
            database.check(PROBE)
        finally:
            database.close()
    except PlaygroundError as error:
        return fix("Database", str(error), "Mend this, or set another database with --data-dir or database_url.")
    told = url.render_as_string(hide_password=True).partition("?")[0]
    if steps:
        return note("Database", f"{told}, {len(steps)} steps older than this program", "They are applied at the start.")
    return ok("Database", told)


def examine_address(settings: Settings) -> Finding:
    """Whether the address is free, or the playground itself has it."""
    place = f"{settings.host}:{settings.port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as error:
            if _answers(settings):
                return ok("Address", f"a playground is running at {place}")
            return fix(
                "Address", f"{place} cannot be used ({error.strerror or error})", "Choose another --port or --host."
            )
    return ok("Address", f"{place} is free")


def _answers(settings: Settings) -> bool:
    """Whether what listens there says that it is alive, as this program does."""
    host = "127.0.0.1" if settings.host in {"0.0.0.0", ""} else settings.host
    connection = http.client.HTTPConnection(host, settings.port, timeout=_SECONDS)
    try:
        connection.request("GET", "/healthz")
        return bool(json.loads(connection.getresponse().read(1000)) == {"status": "ok"})
    except (OSError, ValueError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def examine_openness(settings: Settings) -> Iterator[Finding]:
    """Who may reach what, when others than this machine may reach it at all."""
    if is_loopback(settings.host):
        yield ok("Openness", "only this machine")
        return
    yield note("Openness", f"reachable from elsewhere at {settings.host}", "Put https in front: see docs/operation.md.")
    if settings.api_keys == "off":
        advice = "Set api_keys to auto, and make keys: python -m playground keys create NAME"
        yield note("API", "anybody may use /v1 without a key", advice)
    if not settings.operator_token:
        yield note("Workbench", "nobody can enter it", "Set PLAYGROUND_OPERATOR_TOKEN to open it for yourself.")
