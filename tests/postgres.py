"""A real PostgreSQL for tests: on loopback, by a user who is not root, with data that ends with it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from playground.chat.processes import Processes
from playground.domain import new_id
from playground.storage.conversations import ConversationStore
from playground.storage.database import Database
from playground.storage.migrations import migrate
from playground.storage.processes import ProcessStore
from playground.storage.schema import metadata
from playground.storage.writing import WritingStore

MISSING = "PostgreSQL is missing: run tests/install-servers.sh, or name the folder with initdb in POSTGRES_BIN."
# Nobody's data is at stake, so nothing waits for the disk. `strict` is a user who needs a password.
OPTIONS = ("fsync=off", "full_page_writes=off", "shared_buffers=32MB", "unix_socket_directories=", "autovacuum=off")
ACCESS = "host all strict 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"


def find_programs() -> Path:
    """The folder of PostgreSQL's programs. A missing server fails the test: it is never passed over."""
    named = os.environ.get("POSTGRES_BIN")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    found = shutil.which("initdb")
    for folder in (Path(named) if named else None, *debian, Path(found).resolve().parent if found else None):
        if folder is not None and (folder / "initdb").exists():
            return folder
    pytest.fail(MISSING)


def join(database: Database, lease: float) -> tuple[ProcessStore, Processes]:
    """A process of its own on this database, as `services` makes it; `lease` in seconds."""
    processes = ProcessStore(database, new_id(), timedelta(seconds=lease))
    return processes, Processes(processes, WritingStore(database, processes), ConversationStore(database))


class PostgresServer:
    """One server with its own data. `database` is migrated and is emptied for every test that asks for it."""

    def __init__(self) -> None:
        self._programs = find_programs()
        self._user = "postgres" if os.getuid() == 0 else None  # the server refuses to be root
        self.folder = Path(tempfile.mkdtemp(prefix="playground-postgres-"))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        self._schemas = 0
        if self._user is not None:
            account = pwd.getpwnam(self._user)
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        self._run("initdb", "--no-sync", "-A", "trust", "-U", "owner", "-E", "UTF8", "--locale=C.UTF-8")
        (self.folder / "data" / "pg_hba.conf").write_text(ACCESS, encoding="utf-8")
        self.start()
        self.execute("CREATE DATABASE playground", "CREATE ROLE strict LOGIN PASSWORD 'right'")

    def _run(self, program: str, *options: str) -> None:
        command = [str(self._programs / program), "-D", str(self.folder / "data"), *options]
        subprocess.run(command, user=self._user, check=True, capture_output=True, timeout=60, cwd=self.folder)

    def start(self) -> None:
        """Start it (again) and wait until it answers."""
        options = [part for option in (*OPTIONS, "listen_addresses=127.0.0.1") for part in ("-c", option)]
        with (self.folder / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._programs / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port), *options],
                user=self._user,
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        deadline = time.monotonic() + 30
        while True:
            try:
                self.execute("SELECT 1")
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, (self.folder / "log.txt").read_text()[-2000:]
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """End it at once, as a crash does not: what was committed is there when it starts again."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
            self._process = None

    def close(self) -> None:
        """End it, without tidying up, and delete its data."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str = "playground", user: str = "owner", options: str = "") -> str:
        """The address of one of its databases."""
        query = f"?options={options}" if options else ""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}{query}"

    def execute(self, *statements: str, database: str = "postgres") -> list[Any]:
        """Do something as the owner of everything; the rows of the last statement."""
        address = f"host=127.0.0.1 port={self.port} user=owner dbname={database} connect_timeout=5"
        with psycopg.connect(address, autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def database(self) -> Iterator[Database]:
        """The database with every migration and no rows."""
        database = Database(self.url())
        try:
            migrate(database)
            with database.write(durable=False) as connection:
                for table in reversed(metadata.sorted_tables):
                    connection.execute(table.delete())
            yield database
        finally:
            database.close()

    def blank(self) -> str:
        """The address of an empty schema."""
        self._schemas += 1
        name = f"blank{self._schemas}"
        self.execute(f"CREATE SCHEMA {name}", database="playground")
        return self.url(options=f"-csearch_path%3D{name}")
