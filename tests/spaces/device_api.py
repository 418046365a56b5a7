"""ZeroGPU's device API on loopback: what is asked of it, and refusals."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class DeviceApi:
    """A context manager; `asked` are (path, parameters) in order; tokens in `spent` have no quota left."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.spent: set[str] = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def given_back(self) -> bool:
        """Whether every card that was lent has come back; refused ones were never lent."""
        lent = [call for call in self.calls("schedule") if call.get("token") not in self.spent]
        return len(self.calls("release")) == len(lent)

    def calls(self, path: str) -> list[dict[str, str]]:
        """The parameters of every call of this path."""
        return [parameters for name, parameters in list(self.asked) if name == path]

    def __enter__(self) -> DeviceApi:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


def _handler(api: DeviceApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

        def do_POST(self) -> None:
            parts = urlsplit(self.path)
            path = parts.path.strip("/")
            parameters = {name: values[0] for name, values in parse_qs(parts.query).items()}
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            api.asked.append((path, parameters))
            refused = path == "schedule" and parameters.get("token") in api.spent
            number = len(api.calls("schedule"))
            card = {"idle": True, "nvidiaIndex": 0, "nvidiaUUID": "GPU-0", "allowToken": f"lent-{number}"}
            answer = {"left": 3, "wait": 3600} if refused else card if path == "schedule" else {}
            body = json.dumps(answer).encode()
            self.send_response(429 if refused else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
