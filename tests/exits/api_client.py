"""A client of the API that has a canary said, thought, told in tokens, typed and asked about."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx


def call(address: str, said: str, thought: str, *, teller: str, thinker: str) -> Iterator[tuple[str, bytes]]:
    """What came back, as ("whole", "streamed", "tools" or "other", bytes).

    Both models say backwards what they are asked.
    """
    with httpx.Client(base_url=f"{address}/v1", timeout=60) as client:
        for way, stream in (("whole", False), ("streamed", True)):
            for path, body in _bodies(said, thought, teller, thinker):
                yield way, _heard(client.post(path, json=body | {"stream": stream}))
        yield "other", _heard(client.post("/moderations", json={"input": said}))
    with httpx.Client(base_url=f"{address}/gradio_api", timeout=60) as client:
        for text in (said, thought):
            yield "tools", _called(client, "chat", message=text[::-1], model=thinker)
            yield "tools", _called(client, "compare", message=text[::-1], models=[thinker, "cut-2"])
        for name, arguments in (
            ("chat", {"message": said[::-1], "model": thinker}),
            ("chat", {"message": said}),
            ("compare", {"message": thought[::-1], "models": [thinker, "cut-2"]}),
            ("moderate", {"text": said}),
        ):
            yield "tools", _asked(client, name, arguments)
        yield "other", _called(client, "moderate", text=said)


def _called(client: httpx.Client, name: str, **arguments: Any) -> bytes:
    """One of the endpoints, as curl calls it."""
    told = client.post(f"/call/v2/{name}", json=arguments).raise_for_status().json()
    return client.get(f"/call/{name}/{told['event_id']}").raise_for_status().content


def _asked(client: httpx.Client, name: str, arguments: dict[str, Any]) -> bytes:
    """One of the tools, as clients of MCP call it."""
    params = {"name": name, "arguments": arguments, "_meta": {"progressToken": 1}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    return client.post("/mcp", json=body).raise_for_status().content


def _bodies(said: str, thought: str, teller: str, thinker: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for text in (said, thought):
        yield "/chat/completions", {"model": thinker, "messages": [_turn("user", text[::-1])]}
    scored = {"logprobs": True, "top_logprobs": 3}
    yield "/chat/completions", {"model": teller, "messages": [_turn("user", said[::-1])]} | scored
    yield "/completions", {"model": teller, "prompt": said[::-1], "logprobs": 3}
    yield "/chat/completions", {"model": "echo", "messages": [_turn("user", said)]}
    yield "/chat/completions", {"model": "echo", "messages": [_turn("system", said), _turn("user", "Good day.")]}


def _turn(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}


def _heard(answer: httpx.Response) -> bytes:
    """What came, as it came; of a stream also its texts put together."""
    chunks = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    texts = []
    for choice in (choice for chunk in chunks for choice in chunk.get("choices", ())):
        delta = choice.get("delta", {})
        texts.append(choice.get("text") or delta.get("content") or delta.get("reasoning_content") or "")
    return answer.content + b"\n" + "".join(texts).encode()
