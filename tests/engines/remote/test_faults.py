"""Servers that misbehave: what is tried again, what is told, in which words, and that nothing of theirs is shown."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Callable
from typing import Any

import pytest

from playground.domain import SamplingParams
from playground.engines.contract import Engine
from playground.engines.remote import dispatcher
from playground.errors import (
    AnswerCut,
    EngineTimeout,
    PlaygroundError,
    ServerFailed,
    ServerUnreachable,
)
from tests.engines.remote.conftest import PROMPT, ask
from tests.engines.remote.scripted_server import HEAD, ScriptedServer, answer, event, piece, refusal

Serve = Callable[..., ScriptedServer]
Connect = Callable[..., Engine]
WORDS = "the person's own words"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds follow one another without a pause."""
    monkeypatch.setattr(dispatcher, "pause_after", lambda _: 0.01)


def failure(engine: Engine, kind: type[PlaygroundError], **params: Any) -> str:
    with pytest.raises(kind) as caught:
        ask(engine, **params)
    assert type(caught.value) is kind
    return str(caught.value)


LATER = [
    ("nothing at all", [], ServerUnreachable),
    ("no HTTP", [b"220 smtp ready\r\n\r\n"], ServerUnreachable),
    ("a head and no more", [HEAD], ServerFailed),
    ("a page", [HEAD.replace(b"event-stream", b"html"), b"<html>not here</html>"], ServerFailed),
    ("no JSON", [HEAD, event(b"{nonsense")], ServerFailed),
    ("deep nesting", [HEAD, event(b"[" * 100_000)], ServerFailed),
    ("no object", [HEAD, event([1, 2])], ServerFailed),
    ("choices no list", [HEAD, event({"choices": {"0": 1}})], ServerFailed),
    ("a choice no object", [HEAD, event({"choices": ["x"]})], ServerFailed),
    ("content no text", [HEAD, piece(delta={"content": 3})], ServerFailed),
    ("reason no text", [HEAD, event({"choices": [{"delta": {}, "finish_reason": 3}]})], ServerFailed),
    ("usage no numbers", [HEAD, event({"usage": {"prompt_tokens": "many"}})], ServerFailed),
    ("a huge count", [HEAD, event(b'{"usage": {"prompt_tokens": 1' + b"0" * 5_000 + b"}}")], ServerFailed),
    ("no UTF-8", [HEAD, event(b'{"choices": "\xff"}')], ServerFailed),
    ("a line without end", [HEAD, *[b"data: " + b"x" * 2**16] * 20], ServerFailed),
    ("an event without end", [HEAD, *[b"data: x\n" * 2**13] * 20], ServerFailed),
    (
        "compressed",
        [HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n"), gzip.compress(b"x" * 10**6)],
        ServerFailed,
    ),
    ("an error in the stream", [HEAD, event({"error": {"message": WORDS, "code": 500}})], ServerFailed),
    ("a bare error in the stream", [HEAD, event({"error": WORDS})], ServerFailed),
    ("given up", [HEAD, piece(finish="abort")], ServerFailed),
    ("status 500", refusal(500, {"error": {"message": WORDS}}), ServerFailed),
    ("status 502 with a page", refusal(502, b"<html>" + WORDS.encode()), ServerFailed),
    ("status 503 with an endless page", [refusal(503, b"")[0], b"x" * 2**20], ServerFailed),
]


@pytest.mark.parametrize(("reply", "kind"), [row[1:] for row in LATER], ids=[row[0] for row in LATER])
def test_before_the_first_piece_it_is_tried_again_elsewhere_and_then_here(
    serve: Serve, connect: Connect, reply: list[Any], kind: type[PlaygroundError]
) -> None:
    bad = serve(reply)
    assert ask(connect(bad, serve(answer("fine")))).text == "fine"
    assert len(bad.posts) == 1
    alone = serve(reply)
    sentence = failure(connect(alone, rounds=2), kind)
    assert len(alone.posts) == 2
    assert alone.label in sentence
    assert WORDS not in sentence


def test_a_server_that_recovers_is_asked_again(serve: Serve, connect: Connect) -> None:
    server = serve(refusal(500, {}), [HEAD], answer("at last"))
    assert ask(connect(server)).text == "at last"


def test_nobody_there(serve: Serve, connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    nobody = {"url": f"http://127.0.0.1:{port}/v1"}
    sentence = failure(connect(nobody, rounds=1), ServerUnreachable)
    assert f"127.0.0.1:{port} cannot be reached (nothing answers there). Try again" in sentence
    assert ask(connect(nobody, serve(answer("here")))).text == "here"


@pytest.mark.parametrize(
    "rest",
    [
        [],
        [event({"error": {"message": WORDS, "code": 500}})],
        [event(b"{nonsense")],
        [piece(finish="error")],
        [b"data: {"],
        [refusal(500, {})[0]],
    ],
)
def test_after_the_first_piece_nothing_is_repeated(serve: Serve, connect: Connect, rest: list[Any]) -> None:
    bad, good = serve([HEAD, piece("one "), *rest]), serve(answer("never asked"))
    pieces = connect(bad, good).generate(PROMPT, SamplingParams())
    heard: list[str] = []
    with pytest.raises(AnswerCut, match=r"The answer of Far broke off.*Try again"):
        heard.extend(piece.text for piece in pieces)
    assert "".join(heard) == "one "
    assert not good.posts


def test_a_slow_start_and_silence_are_told_apart(serve: Serve, connect: Connect) -> None:
    sentence = failure(connect(serve([0.0, HEAD, 30.0]), first_token_seconds=0.3, rounds=1), EngineTimeout)
    assert "did not begin to answer for Far within 0.3 seconds" in sentence
    comments = [HEAD, *[b": still there\n\n", piece(""), 0.05] * 100]
    failure(connect(serve(comments), first_token_seconds=0.3, rounds=1), EngineTimeout)
    stalls = connect(serve([HEAD, piece("one"), 30.0]), between_tokens_seconds=0.3)
    with pytest.raises(AnswerCut, match="fell silent"):
        ask(stalls)


def test_a_slow_server_is_left_for_the_next(serve: Serve, connect: Connect) -> None:
    slow = serve([30.0, *answer("slow")])
    assert ask(connect(slow, serve(answer("quick")), first_token_seconds=0.3)).text == "quick"


def test_the_connection_has_a_limit_of_its_own(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)  # nobody accepts: the backlog is full, and further attempts hang
        far = {"url": f"http://127.0.0.1:{address[1]}/v1"}
        sentence = failure(connect(far, connect_seconds=0.3, first_token_seconds=20.0, rounds=1), ServerUnreachable)
        for one in waiting:
            one.close()
    assert "no connection in time" in sentence
