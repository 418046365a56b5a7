"""A `/v1/moderations` endpoint on this machine, which answers as it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SCORES = {
    "harassment": 0.2,
    "harassment/threatening": 0.96,
    "hate": 0.3,
    "hate/threatening": 0.4,
    "sexual/minors": 0.5,
    "illicit": 0.6,
    "toxicity": 0.7,
}


class Server(ThreadingHTTPServer):
    """Answers as it is told: `body` overrides the usual answer, `drip` sends it one byte at a time.

    With `flags` only texts that contain it get the usual scores, and the others get zeros.
    """

    daemon_threads = True
    status = 200
    body: bytes | None = None
    drip = 0.0
    flags = ""
    location = ""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[dict[str, str], dict[str, Any]]] = []

    def handle_error(self, *arguments: object) -> None:
        """Nothing: clients that have seen enough hang up."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1/moderations"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((dict(self.headers), body))
        answer = self.server.body
        if answer is None:
            found = [self.server.flags in text for text in body["input"]]
            results = [
                {"flagged": one, "categories": {}, "category_scores": SCORES if one else dict.fromkeys(SCORES, 0.0)}
                for one in found
            ]
            answer = json.dumps({"id": "modr-1", "model": "m", "results": results}).encode()
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        try:
            for at in range(0, len(answer), 1 if self.server.drip else len(answer)):
                self.wfile.write(answer[at : at + (1 if self.server.drip else len(answer))])
                time.sleep(self.server.drip)
        except OSError:
            self.close_connection = True

    def log_message(self, *arguments: object) -> None:
        """Nothing: the test looks at `asked`."""


@contextmanager
def serving() -> Iterator[Server]:
    """An endpoint that answers for as long as the body runs."""
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield running
        finally:
            running.shutdown()
            thread.join(10)
