"""A Hub on loopback: a real HTTP server that speaks the Hub's API as `huggingface_hub` 2.4 calls it, with faults.

    with HubStandIn() as hub:
        hub.add("owner/name", {"config.json": b"{}", "model.safetensors": weights}, large={"model.safetensors"})
        HfApi(endpoint=hub.endpoint).model_info("owner/name", files_metadata=True)

It answers `/api/models` (search), `/api/models/ID[/revision/REV]` (with `blobs`), `/api/models/ID/tree/REV`,
`/api/whoami-v2`, and `/ID/resolve/REV/PATH` with Range, ETag, X-Repo-Commit, X-Linked-Size and X-Linked-Etag; large
files are redirected to a path of their own, as to a CDN. Spaces are in `hub_spaces.py`. The first of `faults` that
matches a path is what goes wrong with the request.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests import hub_spaces

_BLOCK = 16_384


@dataclass
class Repo:
    """A repository with one commit. `lies` replaces the bytes that are served, not what is promised of them."""

    id: str
    files: dict[str, bytes]
    large: frozenset[str]
    fields: dict[str, Any]
    gated: bool = False
    lies: dict[str, bytes] = field(default_factory=dict)

    @property
    def commit(self) -> str:
        digest = hashlib.sha1(self.id.encode())
        for path, content in sorted(self.files.items()):
            digest.update(path.encode() + b"\0" + hashlib.sha256(content).digest())
        return digest.hexdigest()

    def entry(self, path: str, size: int, blob: str) -> dict[str, Any]:
        content = self.files[path]
        entry: dict[str, Any] = {size: len(content), blob: git_sha1(content)}
        if path in self.large:
            entry["lfs"] = {"size": len(content), "pointerSize": 134} | {
                "sha256" if blob == "blobId" else "oid": hashlib.sha256(content).hexdigest()
            }
        return entry


@dataclass
class Fault:
    """What goes wrong on paths that contain `path`, `times` times (None: always).

    `status` answers with that (and `headers`); `cut_after` breaks the connection after so many bytes of the body;
    `body` is sent instead; `seconds_per_block` is how slow a body is; `redirect` sends the client elsewhere.
    """

    path: str
    times: int | None = 1
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    body: bytes | None = None
    seconds_per_block: float = 0.0
    redirect: str = ""


@dataclass(frozen=True)
class Seen:
    """A request as it came."""

    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]


class HubStandIn:
    """The server; a context manager. `token` is what gated and private repositories ask for."""

    def __init__(self, token: str = "hf_stand_in") -> None:
        self.token = token
        self.repos: dict[str, Repo] = {}
        self.faults: list[Fault] = []
        self.seen: list[Seen] = []
        self.state = hub_spaces.SpacesState()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def storage(self) -> str:
        """Where large files are: another origin than the Hub's, as far as clients can tell."""
        return self.endpoint.replace("127.0.0.1", "localhost")

    def __enter__(self) -> HubStandIn:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def add(
        self, repo: str, files: Mapping[str, bytes], *, large: Iterable[str] = (), gated: bool = False, **fields: Any
    ) -> Repo:
        """A repository; further `fields` (`pipeline_tag`, `tags`, `downloads`, ...) are those of the Hub's answers."""
        self.repos[repo] = Repo(repo, dict(files), frozenset(large), fields, gated)
        return self.repos[repo]

    def asked(self, part: str) -> list[Seen]:
        """The requests so far whose path contains this."""
        with self._lock:
            return [seen for seen in self.seen if part in seen.path]

    def note(self, seen: Seen) -> None:
        with self._lock:
            self.seen.append(seen)

    def fault(self, path: str) -> Fault:
        """The fault for this request, used up by it; one without effect if there is none."""
        with self._lock:
            for fault in self.faults:
                if fault.path in path and fault.times != 0:
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return Fault("")


def git_sha1(content: bytes) -> str:
    """Git's hash of a file."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _handler(hub: HubStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(HubRequest):
        stand_in = hub

    return Handler


class HubRequest(BaseHTTPRequestHandler):
    """One request, and how it is answered."""

    stand_in: HubStandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self.body = self.read_body()
        self.do_GET()

    def do_PUT(self) -> None:
        self.do_POST()

    def read_body(self) -> bytes:
        """What was sent, whole or in chunks."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def json(self) -> Any:
        return json.loads(self.body)

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        self.stand_in.note(
            Seen(path, parse_qs(parts.query), {key.lower(): value for key, value in self.headers.items()})
        )
        self.trouble = self.stand_in.fault(path)
        if self.trouble.redirect:
            self.send(302, b"", {"Location": self.trouble.redirect})
        elif self.trouble.status:
            self.send(self.trouble.status, self.trouble.body or b"", self.trouble.headers)
        else:
            for method, pattern, answer in (*_ROUTES, *hub_spaces.ROUTES):
                if self.command.replace("HEAD", "GET") == method and (found := pattern.fullmatch(path)):
                    if method != "GET":
                        self.stand_in.state.writes.append(f"{method} {path}")
                    answer(self, *found.groups())
                    return
            self.refuse(404, "", "Sorry, we can't find the page you are looking for.")

    def search(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        words = query.get("search", [""])[0].lower()
        tags = set(query.get("filter", []))
        task = query.get("pipeline_tag", [""])[0]
        rows = [
            {"_id": "x", "id": repo.id, "modelId": repo.id, "gated": "manual" if repo.gated else False} | repo.fields
            for repo in self.stand_in.repos.values()
            if words in repo.id.lower()
            and tags <= set(repo.fields.get("tags", ()))
            and task in {"", repo.fields.get("pipeline_tag")}
        ]
        key = query.get("sort", ["downloads"])[0]
        rows.sort(key=lambda row: row.get(key, 0), reverse=True)
        self.send_json(rows[: int(query.get("limit", ["1000"])[0])])

    def info(self, name: str, revision: str | None = None) -> None:
        repo = self.repo(name, revision, read=False)
        if repo is None:
            return
        with_blobs = "blobs" in self.path
        siblings = [
            {"rfilename": path} | (repo.entry(path, "size", "blobId") if with_blobs else {}) for path in repo.files
        ]
        facts = {"_id": "x", "id": repo.id, "modelId": repo.id, "sha": repo.commit, "private": False}
        facts |= {"gated": "manual" if repo.gated else False, "siblings": siblings}
        self.send_json(facts | repo.fields)

    def tree(self, name: str, revision: str, folder: str | None = None) -> None:
        repo = self.repo(name, revision, read=False)
        if repo is not None:
            prefix = f"{folder}/" if folder else ""
            self.send_json(
                [
                    {"type": "file", "path": path} | repo.entry(path, "size", "oid")
                    for path in repo.files
                    if path.startswith(prefix)
                ]
            )

    def who(self) -> None:
        if self.has_token():
            self.send_json({"type": "user", "name": "stand-in", "auth": {"type": "access_token"}})
        else:
            self.refuse(401, "", "Invalid credentials in Authorization header")

    def resolve(self, name: str, revision: str, path: str) -> None:
        repo = self.repo(name, revision, read=True)
        if repo is None:
            return
        if path not in repo.files:
            self.refuse(404, "EntryNotFound", "Entry not found")
            return
        facts = {"X-Repo-Commit": repo.commit}
        if path in repo.large:
            digest, size = hashlib.sha256(repo.files[path]).hexdigest(), str(len(repo.files[path]))
            facts |= {"X-Linked-Size": size, "X-Linked-Etag": f'"{digest}"', "ETag": f'"{digest}"'}
            self.send(302, b"", facts | {"Location": f"{self.stand_in.storage}/cdn/{repo.id}/{path}?signature=x"})
        else:
            self.send_file(repo.lies.get(path, repo.files[path]), facts | {"ETag": f'"{git_sha1(repo.files[path])}"'})

    def cdn(self, name: str, path: str) -> None:
        repo = self.stand_in.repos[name]
        self.send_file(repo.lies.get(path, repo.files[path]), {})

    def repo(self, name: str, revision: str | None, *, read: bool) -> Repo | None:
        repo = self.stand_in.repos.get(name)
        if repo is None:
            self.refuse(401, "RepoNotFound", "Repository not found")
        elif revision not in {None, "main", repo.commit}:
            self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        elif read and repo.gated and not self.has_token():
            self.refuse(401, "GatedRepo", f"Access to model {name} is restricted.")
        else:
            return repo
        return None

    def has_token(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {self.stand_in.token}"

    def refuse(self, status: int, code: str, message: str) -> None:
        headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
        self.send(status, json.dumps({"error": message}).encode(), headers)

    def send_json(self, value: object) -> None:
        self.send(200, json.dumps(value).encode(), {"Content-Type": "application/json; charset=utf-8"})

    def send_file(self, content: bytes, headers: Mapping[str, str]) -> None:
        headers = {"Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"} | dict(headers)
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked is None:
            self.send(200, content, headers)
            return
        start, end = int(asked.group(1)), int(asked.group(2) or len(content) - 1)
        if start >= len(content):
            self.send(416, b"", headers | {"Content-Range": f"bytes */{len(content)}"})
            return
        span = f"bytes {start}-{end}/{len(content)}"
        self.send(206, content[start : end + 1], headers | {"Content-Range": span})

    def send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        body = body if self.trouble.body is None else self.trouble.body
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        try:
            self.send_slowly(body)
        except OSError:  # the client has gone
            self.close_connection = True

    def send_slowly(self, body: bytes) -> None:
        cut = self.trouble.cut_after
        body = body if cut is None else body[:cut]
        for start in range(0, len(body), _BLOCK):
            self.wfile.write(body[start : start + _BLOCK])
            self.wfile.flush()
            time.sleep(self.trouble.seconds_per_block)
        if cut is not None:
            self.close_connection = True


_NAME = r"([\w.-]+/[\w.-]+)"
_ROUTES: tuple[tuple[str, re.Pattern[str], Callable[..., None]], ...] = (
    ("GET", re.compile("/api/models"), HubRequest.search),
    ("GET", re.compile("/api/whoami-v2"), HubRequest.who),
    ("GET", re.compile(rf"/api/models/{_NAME}/tree/([^/]+)(?:/(.+))?"), HubRequest.tree),
    ("GET", re.compile(rf"/api/models/{_NAME}/revision/(.+)"), HubRequest.info),
    ("GET", re.compile(rf"/api/models/{_NAME}"), HubRequest.info),
    ("GET", re.compile(rf"/cdn/{_NAME}/(.+)"), HubRequest.cdn),
    ("GET", re.compile(rf"/{_NAME}/resolve/([^/]+)/(.+)"), HubRequest.resolve),
)
