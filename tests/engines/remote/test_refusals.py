"""Servers that say no: what each of them means by it, in words for people, and never in the server's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, cast

import pytest

from playground.domain import SamplingParams
from playground.engines.contract import Delta, Engine
from playground.engines.remote import dispatcher
from playground.errors import (
    ContextTooLong,
    FilteredThere,
    InvalidRequest,
    PlaygroundError,
    RateLimited,
    ServerRefused,
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


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(serve: Serve, connect: Connect, status: int) -> None:
    elsewhere = serve(answer("stolen"))
    server = serve(refusal(status, {}, Location=elsewhere.url + "/chat/completions"))
    assert "which is not followed. Correct its url" in failure(connect(server), ServerRefused)
    assert not elsewhere.requests
    assert len(server.posts) == 1


@pytest.mark.parametrize(
    ("status", "content", "words"),
    [
        (401, {"error": {"message": "bad key sk-1"}}, "does not accept the playground's key for Far. Name the environ"),
        (403, {}, "does not accept the playground's key"),
        (404, {"error": {"code": "model_not_found"}}, "has no model named far. Correct url or model"),
        (404, b"no such page", "has no model named far"),
        (400, {"detail": "Server is pinned to 'x'; requested 'far'."}, "has no model named far"),
        (400, {"error": {"code": "model_not_supported", "message": "?"}}, "has no model named far"),
    ],
)
def test_a_server_set_up_wrongly_is_told_and_not_asked_again(
    serve: Serve, connect: Connect, status: int, content: Any, words: str
) -> None:
    server = serve(refusal(status, content))
    sentence = failure(connect(server), ServerRefused)
    assert words in sentence
    assert "sk-1" not in sentence
    assert len(server.posts) == 1
    assert ask(connect(serve(refusal(status, content)), serve(answer("fine")))).text == "fine"


def test_a_wrong_key_names_the_variable(serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAR_KEY", "sk-secret")
    sentence = failure(connect({"url": serve(refusal(401, {})).url, "key_env": "FAR_KEY"}), ServerRefused)
    assert "Put a valid key into the environment variable FAR_KEY" in sentence
    assert "sk-secret" not in sentence


def test_a_rate_limit_is_waited_for_when_it_is_short(serve: Serve, connect: Connect) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)
    for header in ("0.2", soon):
        server = serve(refusal(429, {}, Retry_After=header), answer("now"))
        assert ask(connect(server)).text == "now"


def test_a_long_rate_limit_is_told_and_kept_to(serve: Serve, connect: Connect) -> None:
    server = serve(refusal(429, {"error": {"message": WORDS}}, Retry_After="90"))
    engine = connect(server)
    assert "Try again in 90 seconds" in failure(engine, RateLimited)
    assert "wants to be asked less often" in failure(engine, RateLimited)
    assert len(server.posts) == 1


def test_a_rate_limited_server_is_left_for_the_next(serve: Serve, connect: Connect) -> None:
    limited, other = serve(refusal(429, {}, Retry_After="90")), serve(answer("other"))
    engine = connect(limited, other)
    assert [ask(engine).text for _ in range(3)] == ["other"] * 3
    assert len(limited.posts) == 1


VLLM = (
    "This model's maximum context length is 2048 tokens. However, you requested 5512 tokens (5000 in the messages, "
    "512 in the completion)."
)
VLLM_NEWER = (
    "This model's maximum context length is 2048 tokens. However, your request has 5000 input tokens. Please reduce "
    "the length of the input messages. (parameter=input_tokens, value=5000)"
)
OPENAI = "This model's maximum context length is 4097 tokens. However, your messages resulted in 5000 tokens."
SGLANG = "The input (5000 tokens) is longer than the model's context length (4096 tokens)."
TGI = "Input validation error: `inputs` must have less than 4095 tokens. Given: 5000"
LLAMA_CPP = {"code": 400, "type": "exceed_context_size_error", "n_prompt_tokens": 5000, "n_ctx": 4096}
LLAMA_CPP_PYTHON = (
    "This model's maximum context length is 512 tokens. However, you requested 612 tokens (600 in the messages, 12 "
    "in the completion). Please reduce the length of the messages or completion."
)
TOO_LONG: list[tuple[str, int, object, list[str]]] = [
    ("vLLM", 400, {"object": "error", "message": VLLM, "code": 400}, ["5,000", "2,048"]),
    ("vLLM, newer", 400, {"error": {"message": VLLM_NEWER, "code": 400}}, ["5,000", "2,048"]),
    ("OpenAI", 400, {"error": {"code": "context_length_exceeded", "message": OPENAI}}, ["5,000", "4,097"]),
    ("SGLang", 400, {"object": "error", "message": SGLANG}, ["5,000", "4,096"]),
    ("TGI", 422, {"error": TGI, "error_type": "validation"}, ["5,000", "4,095"]),
    ("llama.cpp", 400, {"error": LLAMA_CPP}, ["5,000", "4,096"]),
    ("llama-cpp-python", 400, {"error": {"message": LLAMA_CPP_PYTHON, "type": "?"}}, ["600", "512"]),
    ("no numbers", 400, {"error": {"code": "context_length_exceeded", "message": WORDS}}, ["longer than Far has room"]),
]


@pytest.mark.parametrize(("status", "content", "told"), [row[1:] for row in TOO_LONG], ids=[row[0] for row in TOO_LONG])
def test_a_conversation_that_is_too_long_is_told_with_the_numbers(
    serve: Serve, connect: Connect, status: int, content: Any, told: list[str]
) -> None:
    server, other = serve(refusal(status, content)), serve(answer("never asked"))
    sentence = failure(connect(server, other), ContextTooLong)
    assert all(words in sentence for words in told)
    assert WORDS not in sentence
    assert not other.posts


def test_an_answer_that_would_not_fit_is_asked_for_shorter(serve: Serve, connect: Connect) -> None:
    message = VLLM.replace("5512", "2249").replace("5000", "1737")
    server = serve(refusal(400, {"message": message}), answer("fits"))
    assert ask(connect(server), max_tokens=512).text == "fits"
    assert [request.body["max_tokens"] for request in server.posts] == [512, 311]


@pytest.mark.parametrize(
    "content",
    [
        {"detail": "Unexpected fields in the request: {'top_k', 'min_p'}"},
        {
            "detail": [
                {
                    "type": "extra_forbidden",
                    "loc": ["body", n],
                    "msg": "Extra inputs are not permitted",
                    "input": {"seed": WORDS},
                }
                for n in ("top_k", "min_p")
            ]
        },
        {
            "error": {
                "message": "Unrecognized request arguments supplied: top_k, min_p",
                "type": "invalid_request_error",
            }
        },
    ],
)
def test_what_a_server_does_not_know_is_left_out_from_then_on(
    serve: Serve, connect: Connect, content: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(refusal(422, content), answer("ok"))
    engine = connect(server)
    for _ in range(2):
        assert ask(engine, top_k=5, min_p=0.1, seed=3).text == "ok"
    sent = [{"top_k", "min_p", "seed"} & set(request.body) for request in server.posts]
    assert sent == [{"top_k", "min_p", "seed"}, {"seed"}, {"seed"}]
    assert cast("Any", engine).servers()[0].left_out == ("min_p", "top_k")
    assert caplog.text.count("does not take min_p, top_k; Far is asked without") == 1


NO_LOGPROBS = [
    (400, "Unsupported parameter: 'logprobs' is not supported with this model.", {"logprobs", "top_logprobs"}),
    (400, "You are not allowed to request logprobs from this model", {"logprobs", "top_logprobs"}),
    (400, "Requested sample logprobs of 5, which is greater than max allowed: 0", {"logprobs", "top_logprobs"}),
    (422, "Log probabilities are switched off here", {"logprobs", "top_logprobs"}),
    (400, "Unknown field top_logprobs", {"top_logprobs"}),
    (400, "top_logprobs must be at most 3", {"top_logprobs"}),
]


@pytest.mark.parametrize(("status", "message", "left_out"), NO_LOGPROBS)
def test_a_server_that_tells_no_log_probabilities_answers_all_the_same(
    serve: Serve, connect: Connect, status: int, message: str, left_out: set[str]
) -> None:
    server = serve(refusal(status, {"error": {"message": message}}), answer("ok"))
    engine = connect(server)
    for _ in range(2):
        assert ask(engine, logprobs=5, seed=3).text == "ok"
    sent = [{"logprobs", "top_logprobs", "seed"} & set(request.body) for request in server.posts]
    assert sent[1:] == [{"logprobs", "top_logprobs", "seed"} - left_out] * 2
    assert set(cast("Any", engine).servers()[0].left_out) == left_out


def test_more_alternatives_than_a_server_tells_are_not_left_out_for_everybody(serve: Serve, connect: Connect) -> None:
    message = "Requested sample logprobs of 20, which is greater than max allowed: 10"
    server = serve(refusal(400, {"error": {"message": message}}))
    sentence = failure(connect(server), InvalidRequest, logprobs=20)
    assert "does not accept this value of logprobs" in sentence
    assert len(server.posts) == 1


def test_max_completion_tokens_takes_over_where_max_tokens_is_refused(serve: Serve, connect: Connect) -> None:
    message = (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    )
    server = serve(refusal(400, {"error": {"message": message, "param": "max_tokens"}}), answer("ok"))
    ask(connect(server), max_tokens=9)
    body = server.posts[-1].body
    assert (body.get("max_tokens"), body["max_completion_tokens"]) == (None, 9)


def test_a_value_that_is_refused_is_told_and_not_left_out(serve: Serve, connect: Connect) -> None:
    server = serve(refusal(400, {"error": {"message": "temperature must be at most 2", "param": "temperature"}}))
    sentence = failure(connect(server), InvalidRequest, temperature=5)
    assert "does not accept this value of temperature. Change it in the settings" in sentence
    assert len(server.posts) == 1


def test_any_other_refusal_is_told_without_the_server_s_words(serve: Serve, connect: Connect) -> None:
    server, other = serve(refusal(400, {"error": {"message": WORDS}})), serve(answer("never asked"))
    sentence = failure(connect(server, other), InvalidRequest)
    assert "does not accept this request (status 400)" in sentence
    assert WORDS not in sentence
    assert not other.posts


@pytest.mark.parametrize(
    "reply",
    [
        [HEAD, piece(finish="content_filter")],
        refusal(400, {"error": {"code": "content_filter", "message": WORDS}}),
        refusal(400, {"error": {"code": "?", "innererror": {"code": "ResponsibleAIPolicyViolation"}}}),
        [HEAD, event({"error": {"code": "content_filter", "message": WORDS}})],
    ],
)
def test_a_filter_of_the_server_is_named_as_such(serve: Serve, connect: Connect, reply: list[Any]) -> None:
    other = serve(answer("never asked"))
    sentence = failure(connect(serve(reply), other), FilteredThere)
    assert "with a content filter of its own" in sentence
    assert not other.posts


def test_a_filter_in_the_middle_keeps_what_came(serve: Serve, connect: Connect) -> None:
    pieces = cast(
        "Generator[Delta]",
        connect(serve([HEAD, piece("one "), piece("two", "content_filter")])).generate(PROMPT, SamplingParams()),
    )
    heard: list[str] = []
    with pytest.raises(FilteredThere):
        heard.extend(piece.text for piece in pieces)
    assert "".join(heard) == "one two"


@pytest.mark.parametrize(
    ("reason", "ours"),
    [("tool_calls", "stop"), ("eos_token", "stop"), ("max_tokens", "length"), ("something new", "stop")],
)
def test_other_words_for_the_end(serve: Serve, connect: Connect, reason: str, ours: str) -> None:
    assert ask(connect(serve([HEAD, piece("x"), piece(finish=reason)]))).last.finish_reason == ours


def test_json_errors_in_every_shape_are_survived(serve: Serve, connect: Connect) -> None:
    for content in (None, [], 3, "text", {"error": []}, {"error": {"message": {"a": 1}, "code": []}}, {"detail": 3}):
        failure(connect(serve(refusal(400, json.dumps(content).encode()))), InvalidRequest)
