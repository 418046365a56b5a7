"""The tools for programs that speak the Model Context Protocol, over its streamable HTTP transport.

One POST is one JSON-RPC message and nothing is remembered between two, so any number of server processes can answer.
Gradio's own MCP server is not used: it finds its own address in the Host header of whoever asks first and sends every
later caller's key there, and a client that goes away does not stop its answer. What this server speaks is the protocol
of 2024-11-05 to 2025-11-25; newer clients fall back to it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from typing import Any

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from playground.api.asking import language_of
from playground.api.errors import Refused, problem_of
from playground.api.tools import Snapshot, Snapshots, Tool, Tools
from playground.errors import PlaygroundError

PATH = "/gradio_api/mcp"
"""Where Gradio serves MCP, and its clients look for it."""
VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
_PARSE, _INVALID, _METHOD, _PARAMS = -32700, -32600, -32601, -32602
_ABOUT = (
    "Open language models behind a safety layer: `chat` answers, `compare` asks several models the same, `moderate` "
    "checks a text."
)
_EVENTS = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]


class _Wrong(Exception):
    """A message that cannot be served: a JSON-RPC error."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class McpServer:
    """An ASGI application for `PATH`. Whoever may call was let in before; the request's state says who it is."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._methods: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "initialize": self._initialize,
            "ping": lambda _: {},
            "tools/list": self._list,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one message."""
        request = Request(scope, receive)
        await (await self._respond(request))(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        if request.method != "POST":
            return Response(status_code=405, headers={"Allow": "POST"})
        number: Any = None
        try:
            asked = await _read(request)
            number = asked.get("id")
            _check_version(request)
            if "method" not in asked or number is None:
                return Response(status_code=202)  # an answer, or a notice: nothing here waits for either
            if asked["method"] == "tools/call":
                return self._call(request, number, asked["params"])
            return JSONResponse(_result(number, self._method(asked["method"])(asked["params"])))
        except _Wrong as wrong:
            status = 400 if wrong.code in {_PARSE, _INVALID} else 200
            error = {"code": wrong.code, "message": str(wrong)}
            return JSONResponse({"jsonrpc": "2.0", "id": number, "error": error}, status)

    def _method(self, name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
        method = self._methods.get(name)
        if method is None:
            raise _Wrong(_METHOD, f"There is no such method here. There are: {', '.join(self._methods)}, tools/call.")
        return method

    @staticmethod
    def _initialize(params: dict[str, Any]) -> dict[str, Any]:
        wanted = params.get("protocolVersion")
        return {
            "protocolVersion": wanted if wanted in VERSIONS else VERSIONS[-1],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "playground", "title": "Playground", "version": "1"},
            "instructions": _ABOUT,
        }

    def _list(self, params: dict[str, Any]) -> dict[str, Any]:
        del params
        return {"tools": [_described(name, tool) for name, tool in self._tools.named.items()]}

    def _call(self, request: Request, number: Any, params: dict[str, Any]) -> Response:
        name, arguments = params.get("name"), params.get("arguments", {})
        if not isinstance(name, str) or name not in self._tools.named:
            raise _Wrong(_PARAMS, f"There is no such tool. There are: {', '.join(self._tools.named)}.")
        try:
            snapshots = self._tools.run(name, request.state.caller, arguments, language_of(request))
        except Refused as refused:  # what the model that calls can mend is told it as a result
            return JSONResponse(_result(number, _failed(refused)))
        meta = params.get("_meta")
        token = meta.get("progressToken") if isinstance(meta, dict) else None
        return _ToolResponse(number, token, snapshots)


class _ToolResponse(Response):
    """A tool's work as server-sent events: notices of progress where they are wanted, then the result."""

    def __init__(self, number: Any, token: Any, snapshots: Snapshots) -> None:
        super().__init__()
        self._number = number
        self._token = token
        self._snapshots = snapshots

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Work while the client is there; a client that goes away stops it."""
        del scope
        async with anyio.create_task_group() as tasks:

            async def listen() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                tasks.cancel_scope.cancel()

            tasks.start_soon(listen)
            with suppress(OSError):
                await send({"type": "http.response.start", "status": 200, "headers": _EVENTS})
                async for message in self._messages():
                    await send(message)
                await send({"type": "http.response.body", "body": b""})
            tasks.cancel_scope.cancel()

    async def _messages(self) -> AsyncIterator[Message]:
        last: Snapshot = {}
        told: object = None
        count = 0
        try:
            async with aclosing(self._snapshots) as snapshots:
                async for last in snapshots:
                    stage = _stage(last)
                    yield _comment() if self._token is None or stage == told else _event(self._progress(count, stage))
                    count, told = count + 1, stage
            result = {"content": [_text(last)], "structuredContent": last, "isError": False}
        except PlaygroundError as error:
            result = _failed(error)
        yield _event(_result(self._number, result))

    def _progress(self, count: int, stage: str) -> dict[str, Any]:
        params = {"progressToken": self._token, "progress": count, "message": stage}
        return {"jsonrpc": "2.0", "method": "notifications/progress", "params": params}


def _check_version(request: Request) -> None:
    if request.headers.get("mcp-protocol-version", VERSIONS[0]) not in VERSIONS:
        raise _Wrong(_METHOD, f"This server speaks the protocol of {', '.join(VERSIONS)}.")


async def _read(request: Request) -> dict[str, Any]:
    try:
        asked = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise _Wrong(_PARSE, "The body is not JSON. Send one JSON-RPC message.") from None
    if not isinstance(asked, dict) or asked.get("jsonrpc") != "2.0":
        raise _Wrong(_INVALID, "Send one JSON-RPC 2.0 message, not a batch.")
    asked["params"] = asked.get("params") or {}
    if not isinstance(asked.get("method", ""), str) or not isinstance(asked["params"], dict):
        raise _Wrong(_INVALID, "The method must be a text, and params an object.")
    return asked


def _described(name: str, tool: Tool) -> dict[str, Any]:
    hints = {"readOnlyHint": True, "openWorldHint": False}
    schema = tool.call.model_json_schema()
    return {"name": name, "description": tool.description, "inputSchema": schema, "annotations": hints}


def _text(snapshot: Snapshot) -> dict[str, Any]:
    """A result in words, for models that read only those."""
    if "answers" in snapshot:
        told = "\n\n".join(f"## {one['model']}\n\n{_said(one)}" for one in snapshot["answers"])
    elif "text" in snapshot:
        told = _said(snapshot)
    else:
        told = json.dumps(snapshot, ensure_ascii=False)
    return {"type": "text", "text": told}


def _said(answer: Snapshot) -> str:
    stopped = (answer["moderation"] or {}).get("message") or answer.get("error", {}).get("message", "")
    return "\n\n".join(part for part in (answer["text"], stopped and f"[{stopped}]") if part)


def _stage(snapshot: Snapshot) -> str:
    answers = snapshot.get("answers", [snapshot])
    return "; ".join(f"{one.get('model', '')}: {one.get('status', 'done')}" for one in answers)


def _failed(error: PlaygroundError) -> dict[str, Any]:
    told = problem_of(error).body
    return {"content": [{"type": "text", "text": str(error)}], "structuredContent": told, "isError": True}


def _result(number: Any, result: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "result": result}


def _event(content: dict[str, Any]) -> Message:
    data = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    body = f"event: message\ndata: {data}\n\n".encode()
    return {"type": "http.response.body", "body": body, "more_body": True}


def _comment() -> Message:
    return {"type": "http.response.body", "body": b": working\n\n", "more_body": True}
