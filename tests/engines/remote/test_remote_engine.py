"""The remote engine against servers that behave: what is sent, what comes back, and that it ends when told to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Generator
from typing import Any, cast

import pytest

from playground.domain import FinishReason, Loading, SamplingParams, Stage, Usage
from playground.engines.contract import Delta, Engine, EngineOptions, Replicated
from playground.engines.registry import kind_of
from playground.errors import EngineError, InvalidRequest, ModelLoadError
from tests.engines.remote.conftest import PROMPT, ask, remote_spec, until
from tests.engines.remote.scripted_server import HEAD, ScriptedServer, answer, event, piece, refusal, scored

Serve = Callable[..., ScriptedServer]
Connect = Callable[..., Engine]


def test_an_answer_comes_in_pieces_with_its_figures(serve: Serve, connect: Connect) -> None:
    server = serve(answer("Xin ", "chào", "!"))
    told = ask(connect(server))
    assert [delta.text for delta in told.pieces if delta.text] == ["Xin ", "chào", "!"]
    assert (told.last.finish_reason, told.usage) == (FinishReason.STOP, Usage(7, 3))
    assert told.last.timings is not None
    assert told.last.timings.first_token > 0


def test_what_is_sent_is_openai_s_form(serve: Serve, connect: Connect) -> None:
    server = serve(answer("ok"))
    ask(connect({"url": server.url, "model": "org/big"}), max_tokens=9, temperature=0.5, top_p=1.0)
    (request,) = server.posts
    assert request.path == "/v1/chat/completions"
    assert request.body == {
        "model": "org/big",
        "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.5,
        "max_tokens": 9,
    }
    assert not {"authorization", "cookie", "referer"} & set(request.headers)
    assert request.headers["accept-encoding"] == "identity"


def test_every_sampling_parameter_is_sent(serve: Serve, connect: Connect) -> None:
    server = serve(answer("ok"))
    ask(
        connect(server),
        top_p=0.9,
        top_k=40,
        min_p=0.05,
        repetition_penalty=1.1,
        seed=0,
        stop=("###",),
        logprobs=2,
    )
    body = server.posts[0].body
    assert {key: body[key] for key in ("top_p", "top_k", "min_p", "repetition_penalty", "repeat_penalty", "seed")} == {
        "top_p": 0.9,
        "top_k": 40,
        "min_p": 0.05,
        "repetition_penalty": 1.1,
        "repeat_penalty": 1.1,
        "seed": 0,
    }
    assert (body["stop"], body["logprobs"], body["top_logprobs"]) == (["###"], True, 2)


def test_a_schema_is_handed_on_and_never_left_out(serve: Serve, connect: Connect) -> None:
    server = serve(answer("[1]"), refusal(400, {"error": {"message": "response_format is not supported"}}))
    engine = connect(server)
    assert engine.capabilities.schemas
    assert ask(engine, schema='{"type": "array", "title": "Số"}').text == "[1]"
    assert server.posts[0].body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": {"type": "array", "title": "Số"}},
    }
    with pytest.raises(InvalidRequest):
        ask(engine, schema="{}")
    assert cast("Any", engine).servers()[0].left_out == ()


def test_a_row_without_a_model_name_asks_for_its_id(serve: Serve, connect: Connect) -> None:
    server = serve(answer("ok"))
    ask(connect(server))
    assert server.posts[0].body["model"] == "far"


def test_the_key_goes_to_its_own_server_only_and_is_shown_nowhere(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    monkeypatch.setenv("FIRST_KEY", " sk-quite-secret\n")
    first, second = serve(refusal(500, {"error": "sk-quite-secret"})), serve(answer("ok"))
    engine = connect({"url": first.url, "key_env": "FIRST_KEY"}, {"url": second.url})
    assert ask(engine).text == "ok"
    assert first.posts[0].headers["authorization"] == "Bearer sk-quite-secret"
    assert "authorization" not in second.posts[0].headers
    assert isinstance(engine, Replicated)
    shown = repr(engine.servers()) + repr(engine) + repr(vars(engine)) + caplog.text
    assert "sk-quite-secret" not in shown


def test_a_missing_key_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    spec = remote_spec([{"url": "https://example.org/v1", "key_env": "NO_SUCH_KEY"}])
    with pytest.raises(ModelLoadError, match=r"Far cannot be used: The environment variable NO_SUCH_KEY is empty"):
        kind_of(spec).create(spec, EngineOptions(), lambda _: None)


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_thinking_comes_apart_from_the_answer(serve: Serve, connect: Connect, name: str) -> None:
    steps = [HEAD, piece(delta={name: "Let me "}), piece(delta={name: "see."}), piece("Hi"), piece(finish="stop")]
    told = ask(connect(serve(steps)))
    assert (told.reasoning, told.text) == ("Let me see.", "Hi")


def test_log_probabilities_are_handed_on(serve: Serve, connect: Connect) -> None:
    token = {"token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": [{"token": "Yo", "logprob": -2}]}
    told = ask(connect(serve([HEAD, piece("Hi", logprobs={"content": [token]}), piece(finish="stop")])), logprobs=1)
    (found,) = told.logprobs
    assert (found.token_id, found.text, found.logprob, found.top) == (-1, "Hi", -0.1, ((-1, "Yo", -2.0),))


def test_a_token_s_bytes_count_and_not_what_a_server_puts_for_parts_of_characters(
    serve: Serve, connect: Connect
) -> None:
    fox = "🦊".encode()
    first = scored("bytes:\\xf0", data=fox[:2], says="")
    told = ask(connect(serve([HEAD, first, scored("?", data=fox[2:], says="🦊"), piece(finish="stop")])), logprobs=1)
    assert [token.data for token in told.logprobs] == [fox[:2], fox[2:]]
    assert {token.text for token in told.logprobs} == {"\ufffd", "\ufffd\ufffd"}


ODD = [
    [],
    {"content": {"0": 1}},
    {"content": ["x"]},
    {"content": [{"token": "x", "logprob": "?"}]},
    {"content": [{"token": "x", "logprob": 10**400}]},
    {"content": [{"token": "x", "logprob": float("nan")}]},
    {"content": [{"token": "x", "logprob": -1, "bytes": [300]}]},
    {"content": [{"token": "x", "logprob": -1, "top_logprobs": [{"token": 3, "logprob": -1}]}]},
]


@pytest.mark.parametrize("odd", ODD)
def test_log_probabilities_of_another_form_are_none_and_the_answer_comes(
    serve: Serve, connect: Connect, odd: object
) -> None:
    told = ask(connect(serve([HEAD, piece("x", logprobs=odd), piece("y"), piece(finish="stop")])), logprobs=1)
    assert (told.text, told.logprobs) == ("xy", [])


def test_those_of_thoughts_that_come_apart_are_not_the_answer_s(serve: Serve, connect: Connect) -> None:
    thought = piece(delta={"reasoning_content": "Hm"}, logprobs={"content": [{"token": "Hm", "logprob": -1}]})
    told = ask(connect(serve([HEAD, thought, scored("Hi"), piece(finish="stop")])), logprobs=1)
    assert [token.text for token in told.logprobs] == ["Hi"]


def test_stop_texts_hold_although_the_server_ignores_them(serve: Serve, connect: Connect) -> None:
    server = serve([HEAD, piece("one EN"), piece("D two"), 30.0])
    told = ask(connect(server), stop=("END",))
    assert (told.text, told.last.finish_reason) == ("one ", FinishReason.STOP)


def test_the_length_holds_although_the_server_ignores_it(serve: Serve, connect: Connect) -> None:
    told = ask(connect(serve([HEAD, *[piece("a ")] * 5_000, 30.0])), max_tokens=10)
    assert told.last.finish_reason is FinishReason.LENGTH
    assert len(told.text) < 300


def test_a_whole_answer_in_json_is_taken_too(serve: Serve, connect: Connect) -> None:
    whole = {"choices": [{"message": {"content": "All at once."}, "finish_reason": "length"}], "usage": None}
    told = ask(connect(serve(refusal(200, whole))))
    assert (told.text, told.last.finish_reason) == ("All at once.", FinishReason.LENGTH)


def test_halves_of_characters_are_joined_or_replaced(serve: Serve, connect: Connect) -> None:
    steps = [HEAD, piece("a\ud83d"), piece("\ude00b"), piece("c\ud83d"), piece("d\ude00"), piece("\ud83d", "stop")]
    told = ask(connect(serve(steps)))
    assert told.text == "a😀bc\ufffdd\ufffd\ufffd"


def test_a_stream_in_single_bytes_reads_the_same(serve: Serve, connect: Connect) -> None:
    content = b"\xef\xbb\xbf: hello\r\n\r\n" + b"".join([*answer("Xin ", "chào 😀")[1:]]).replace(b"\n", b"\r\n")  # type: ignore[arg-type]
    told = ask(connect(serve([HEAD, *[bytes([byte]) for byte in content]])))
    assert told.text == "Xin chào 😀"
    assert told.usage == Usage(7, 2)


def test_waiting_gives_empty_pieces_and_stopping_closes_the_connection(serve: Serve, connect: Connect) -> None:
    server = serve([60.0, *answer("late")])
    pieces = cast("Generator[Delta]", connect(server).generate(PROMPT, SamplingParams()))
    assert next(pieces) == Delta("")
    pieces.close()
    until(lambda: server.gone == 1)


def test_stopping_in_the_middle_of_an_answer_closes_the_connection(serve: Serve, connect: Connect) -> None:
    server = serve([HEAD, piece("one"), 60.0])
    engine = connect(server)
    pieces = cast("Generator[Delta]", engine.generate(PROMPT, SamplingParams()))
    assert next(piece.text for piece in pieces if piece.text) == "one"
    pieces.close()
    until(lambda: server.gone == 1)
    assert isinstance(engine, Replicated)
    until(lambda: cast("Replicated", engine).servers()[0].in_flight == 0)


def test_closing_the_engine_ends_what_runs(serve: Serve, connect: Connect) -> None:
    server = serve([HEAD, piece("one"), 60.0])
    engine = connect(server)
    pieces = engine.generate(PROMPT, SamplingParams())
    assert next(piece.text for piece in pieces if piece.text) == "one"
    closing = threading.Timer(0.1, engine.close)
    closing.start()
    with pytest.raises(EngineError, match="Far was unloaded"):
        list(pieces)
    closing.join()
    engine.close()
    with pytest.raises(EngineError, match="Far was unloaded"):
        ask(engine)
    until(lambda: server.gone == 1)


def test_many_at_once_are_not_mixed_up(serve: Serve, connect: Connect) -> None:
    def echo(request: Any) -> list[Any]:
        return answer(*request.body["messages"][-1]["content"], pause=0.001)

    server = serve(echo)
    engine = connect(server)
    texts = [f"question number {number}" for number in range(24)]
    heard: dict[str, str] = {}

    def one(text: str) -> None:
        prompt = type(PROMPT)((type(PROMPT.turns[0])("user", text),))
        heard[text] = ask(engine, prompt).text

    threads = [threading.Thread(target=one, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert heard == {text: text for text in texts}
    assert server.most_open > 1


def test_progress_says_that_the_model_reads(serve: Serve, connect: Connect) -> None:
    heard: list[object] = []
    list(connect(serve(answer("ok"))).generate(PROMPT, SamplingParams(), heard.append))
    assert heard == [Loading(Stage.PREFILLING)]


def test_there_are_no_scores(serve: Serve, connect: Connect) -> None:
    with pytest.raises(EngineError, match="Far runs on a server"):
        connect(serve(answer("ok"))).score([1, 2])


def test_cookies_are_not_kept_and_proxies_not_used(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, address)
        cookie = HEAD.replace(b"\r\n\r\n", b"\r\nSet-Cookie: visitor=1; Path=/\r\n\r\n")
        server = serve([cookie, *answer("ok")[1:]])
        engine = connect(server)
        assert [ask(engine).text, ask(engine).text] == ["ok", "ok"]
    assert all("cookie" not in request.headers for request in server.posts)


def test_usage_may_come_in_the_last_piece_or_not_at_all(serve: Serve, connect: Connect) -> None:
    last = {"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}
    with_it, without = serve([HEAD, piece("ok"), event(last)]), serve([HEAD, piece("ok"), event(b"[DONE]")])
    assert ask(connect(with_it)).usage == Usage(5, 2)
    assert ask(connect(without)).usage is None


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"connect_seconds": 0}, "cannot be used: connect_seconds is 0; it must be above 0"),
        ({"first_token_seconds": 1e9}, "first_token_seconds is 1e.09; it must be above 0 and at most 86,400"),
        ({"between_tokens_seconds": -1.0}, "between_tokens_seconds is -1"),
        ({"rounds": 0}, "rounds is 0; it must be from 1 to 10"),
        ({"rounds": 1.5}, "has 1.5 for rounds; it must be of type int"),
        ({"connect_seconds": True}, "has True for connect_seconds; it must be of type float"),
        ({"alternatives": 21}, "alternatives is 21; it must be from 0 to 20"),
        ({"retries": 2}, "option named retries; remote knows: alternatives, between_tokens_seconds, connect_seconds"),
    ],
)
def test_options_out_of_range_are_named(options: dict[str, Any], sentence: str) -> None:
    spec = remote_spec([{"url": "https://example.org/v1"}], **options)
    with pytest.raises(ModelLoadError, match=sentence):
        kind_of(spec).create(spec, EngineOptions(), lambda _: None)
