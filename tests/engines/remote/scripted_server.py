"""A server on loopback that does what a test says, byte by byte: raw sockets, so that it can also do what is wrong."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

Step = bytes | float
Reply = Iterable[Step]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


@dataclass
class Request:
    """What a client sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class ScriptedServer:
    """Answers a POST with the next of `replies` (the last one again and again), a GET with `models`.

    A reply is bytes to send and seconds to wait; then the connection is closed. `gone` counts clients that closed
    theirs before the reply was over.
    """

    replies: Sequence[Reply | Callable[[Request], Reply]] = ()
    models: Reply = ()
    tls: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    open: int = 0
    most_open: int = 0
    gone: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._connections: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self._port = 0
        self.start()

    def start(self) -> None:
        """Listen, on the same port as before."""
        self._stopped.clear()
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self._port}/v1"

    @property
    def label(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def posts(self) -> list[Request]:
        return [request for request in self.requests if request.method == "POST"]

    def stop(self) -> None:
        """Die: no further connection, and those there are end."""
        self._stopped.set()
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it is gone already

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.add(connection)
        try:
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as reader:
                request = _read(reader)
                if request is not None:
                    self._answer(connection, request)
        except OSError:
            self.gone += not self._stopped.is_set()
        finally:
            with self._lock:
                self._connections.discard(connection)

    def _answer(self, connection: socket.socket, request: Request) -> None:
        with self._lock:
            self.requests.append(request)
            number = len(self.posts) - 1
            self.open += 1
            self.most_open = max(self.most_open, self.open)
        try:
            if request.method == "POST":
                reply = self.replies[min(number, len(self.replies) - 1)]
                self._play(connection, reply(request) if callable(reply) else reply)
            else:
                self._play(connection, self.models or refusal(404, {}))
        finally:
            with self._lock:
                self.open -= 1

    def _play(self, connection: socket.socket, reply: Reply) -> None:
        for step in reply:
            if isinstance(step, bytes):
                connection.sendall(step)
            elif self._hung_up(connection, step):
                raise ConnectionResetError

    def _hung_up(self, connection: socket.socket, seconds: float) -> bool:
        """Wait; true as soon as the client closes its side or the server dies."""
        connection.settimeout(0.02)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                if connection.recv(1) == b"" or self._stopped.is_set():
                    return True
            except TimeoutError:
                continue
        connection.settimeout(None)
        return False


def _read(reader: Any) -> Request | None:
    first = reader.readline().decode().split()
    if len(first) < 2:
        return None
    headers: dict[str, str] = {}
    while (line := reader.readline().decode().strip()) != "":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = reader.read(int(headers.get("content-length", 0)))
    return Request(first[0], first[1], headers, json.loads(body) if body else None)


def event(content: object) -> bytes:
    """One event of a stream."""
    return b"data: " + (content if isinstance(content, bytes) else json.dumps(content).encode()) + b"\n\n"


def piece(text: str | None = None, finish: str | None = None, **more: object) -> bytes:
    """A chunk of an answer."""
    delta = {"content": text} | more.pop("delta", {})  # type: ignore[operator]
    return event({"choices": [{"index": 0, "delta": delta, "finish_reason": finish, **more}]})


def scored(
    text: str, logprob: float = -0.1, *, data: bytes = b"", says: str | None = None, others: Sequence[object] = ()
) -> bytes:
    """A chunk that `says` a token's text, with its log-probability and bytes; `others`: text, log-probability, ..."""
    spelled: dict[str, object] = {"token": text, "logprob": logprob} | ({"bytes": list(data)} if data else {})
    top = [
        spelled,
        *({"token": other, "logprob": value} for other, value in zip(others[::2], others[1::2], strict=True)),
    ]
    return piece(text if says is None else says, logprobs={"content": [{**spelled, "top_logprobs": top}]})


def answer(*texts: str, finish: str = "stop", pause: float = 0.0) -> list[Step]:
    """A good reply."""
    steps: list[Step] = [HEAD]
    for text in texts:
        steps += [piece(text), pause] if pause else [piece(text)]
    usage = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": len(texts)}}
    return [*steps, piece(finish=finish), event(usage), event(b"[DONE]")]


def refusal(status: int, content: object, **headers: str) -> list[Step]:
    """A reply with another status."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    lines = [f"HTTP/1.1 {status} No", f"Content-Length: {len(body)}", "Content-Type: application/json"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ["\r\n".join([*lines, "Connection: close", "", ""]).encode() + body]


def models(*names: str) -> list[Step]:
    """The list of models."""
    return refusal(200, {"object": "list", "data": [{"id": name} for name in names]})
