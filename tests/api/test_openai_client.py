"""The real `openai` package against the real app, on the embedded model and the echo."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.api.conftest import Site, until, user

QUESTION: Any = [{"role": "developer", "content": "Be brief."}, user("What is a token?")]


def test_models_are_listed_and_looked_up(app: Site) -> None:
    client = app.openai()
    listed = {model.id for model in client.models.list()}
    assert {"pip", "echo", "slow"} <= listed
    assert not any("guard" in name.lower() for name in listed)
    assert client.models.retrieve("pip").owned_by == "Pip"
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("some/unknown")
    assert caught.value.code == "model_not_found"


def test_a_chat_and_its_stream_say_the_same(app: Site) -> None:
    client = app.openai()
    whole = client.chat.completions.create(model="pip", messages=QUESTION, seed=7, temperature=0.9)
    said = whole.choices[0].message.content
    assert said
    assert whole.choices[0].finish_reason == "stop"
    assert whole.usage is not None
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens > 10
    options: Any = {"include_usage": True}
    chunks = list(
        client.chat.completions.create(
            model="pip", messages=QUESTION, seed=7, temperature=0.9, stream=True, stream_options=options
        )
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == said
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert chunks[-1].usage.prompt_tokens_details is not None
    assert len({chunk.id for chunk in chunks}) == 1


def test_several_choices_are_drawn_from_seeds_of_their_own(app: Site) -> None:
    client = app.openai()
    asked: Any = {"model": "fable", "messages": [user("Tell me a story")], "temperature": 2.0, "max_tokens": 20}
    answer = client.chat.completions.create(**asked, n=3, seed=3)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert answer.usage is not None
    assert answer.usage.prompt_tokens < answer.usage.completion_tokens <= 60
    assert len({choice.message.content for choice in answer.choices}) > 1
    streamed = ["", "", ""]
    reasons = [""] * 3
    for chunk in client.chat.completions.create(**asked, n=3, seed=3, stream=True):
        (choice,) = chunk.choices
        streamed[choice.index] += choice.delta.content or ""
        reasons[choice.index] = choice.finish_reason or ""
    assert all(streamed)
    assert set(reasons) <= {"stop", "length"}


def test_the_same_seed_draws_the_same_answer(app: Site) -> None:
    asked: Any = {"model": "fable", "messages": [user("Tell me a story")], "temperature": 1.0, "max_tokens": 20}
    client = app.openai()
    client.chat.completions.create(**asked)  # what is read of the prompt is kept from now on, whoever asks
    drawn = [client.chat.completions.create(**asked, seed=seed).choices[0].message.content for seed in (-5, -5, 8, 9)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 1


def test_log_probabilities_cover_the_text_token_by_token(app: Site) -> None:
    client = app.openai()
    asked: Any = {"model": "pip", "messages": [user("Xin chào, token là gì?")], "logprobs": True, "top_logprobs": 4}
    whole = client.chat.completions.create(**asked, temperature=0).choices[0]
    assert whole.logprobs is not None
    tokens = whole.logprobs.content or []
    said = b"".join(bytes(token.bytes or []) for token in tokens).decode()
    assert said == whole.message.content
    assert all(token.logprob <= 0 for token in tokens)
    assert all(token.token in {other.token for other in token.top_logprobs} for token in tokens)
    assert sum(len(token.top_logprobs) for token in tokens) > 3 * len(tokens)
    streamed = [
        token
        for chunk in client.chat.completions.create(**asked, temperature=0, stream=True)
        if chunk.choices[0].logprobs
        for token in chunk.choices[0].logprobs.content or []
    ]
    assert [token.token for token in streamed] == [token.token for token in tokens]


def test_stop_length_and_penalties(app: Site) -> None:
    client = app.openai()
    whole = client.chat.completions.create(model="pip", messages=QUESTION, temperature=0)
    said = whole.choices[0].message.content or ""
    stop = said.split()[3]
    cut = client.chat.completions.create(model="pip", messages=QUESTION, temperature=0, stop=[stop, "zzz"])
    assert (cut.choices[0].message.content, cut.choices[0].finish_reason) == (said[: said.index(stop)], "stop")
    short = client.chat.completions.create(model="pip", messages=QUESTION, temperature=0, max_completion_tokens=3)
    assert short.choices[0].finish_reason == "length"
    assert short.usage is not None
    assert short.usage.completion_tokens == 3
    story: Any = {"model": "fable", "messages": [user("Tell me a story")], "temperature": 0}
    told = client.chat.completions.create(**story).choices[0].message.content
    other = client.chat.completions.create(**story, frequency_penalty=2, presence_penalty=2, extra_body={"top_k": 5})
    assert other.choices[0].message.content != told


def test_a_conversation_is_answered_as_a_whole(app: Site) -> None:
    turns: Any = [
        {"role": "system", "content": [{"type": "text", "text": "Be kind."}]},
        user("one"),
        {"role": "assistant", "content": "two", "refusal": None, "annotations": []},
        user("three"),
        {"role": "user", "content": [{"type": "text", "text": "four"}, {"type": "text", "text": "five"}], "name": "an"},
    ]
    answer = app.openai().chat.completions.create(
        model="echo", messages=turns, user="somebody", metadata={"a": "b"}, store=False
    )
    assert answer.choices[0].message.content == "three\n\nfour\nfive"


def test_thinking_comes_apart(app: Site) -> None:
    client = app.openai()
    asked: Any = {"model": "thinker", "messages": [user("<think>First this.</think>Then that.")]}
    message = client.chat.completions.create(**asked).choices[0].message
    assert (message.content, message.reasoning_content) == ("Then that.", "First this.")  # type: ignore[attr-defined]
    thought = said = ""
    for chunk in client.chat.completions.create(**asked, stream=True):
        thought += getattr(chunk.choices[0].delta, "reasoning_content", None) or ""
        said += chunk.choices[0].delta.content or ""
    assert (thought, said) == ("First this.", "Then that.")


def test_completions(app: Site) -> None:
    client = app.openai()
    asked: Any = {"model": "pip", "prompt": "What is a token?", "temperature": 0, "max_tokens": 12}
    whole = client.completions.create(**asked, logprobs=2)
    assert whole.choices[0].finish_reason == "length"
    logprobs = whole.choices[0].logprobs
    assert logprobs is not None
    assert "".join(logprobs.tokens or []) == whole.choices[0].text
    assert logprobs.text_offset
    assert logprobs.text_offset[:2] == [0, len((logprobs.tokens or [""])[0])]
    streamed = "".join(chunk.choices[0].text for chunk in client.completions.create(**asked, stream=True))
    assert streamed == whole.choices[0].text
    assert client.completions.create(model="echo", prompt=["only one"]).choices[0].text == "only one"


def test_moderations(app: Site) -> None:
    client = app.openai()
    calm, rude = client.moderations.create(
        input=["Hello there.", "you worthless piece of shit"], model="omni-moderation-latest"
    ).results
    assert (calm.flagged, rude.flagged) == (False, True)
    assert rude.category_scores.harassment > 0.5 > calm.category_scores.harassment
    assert rude.model_extra is not None
    found = rude.model_extra["moderation"]["findings"]
    assert found
    assert all(finding["score"] >= finding["threshold"] for finding in found)
    with pytest.raises(openai.NotFoundError):
        client.moderations.create(input="x", model="another")


TOOL: Any = {"type": "function", "function": {"name": "f"}}
PICTURE: Any = {"type": "image_url", "image_url": {"url": "data:"}}
UNSUPPORTED, INVALID = "unsupported_parameter", "invalid_value"
REFUSED: list[tuple[type[openai.APIStatusError], dict[str, Any], str | None, str]] = [
    (openai.NotFoundError, {"model": "gpt-9"}, "model", "model_not_found"),
    (openai.BadRequestError, {"tools": [TOOL]}, "tools", UNSUPPORTED),
    (openai.BadRequestError, {"response_format": {"type": "json_object"}}, "response_format", UNSUPPORTED),
    (openai.BadRequestError, {"logit_bias": {"5": 1}}, "logit_bias", UNSUPPORTED),
    (openai.BadRequestError, {"extra_body": {"surprise": 1}}, "surprise", "unknown_parameter"),
    (openai.BadRequestError, {"temperature": 9}, "temperature", INVALID),
    (openai.BadRequestError, {"temperature": "hot"}, "temperature", INVALID),
    (openai.BadRequestError, {"top_logprobs": 3}, "top_logprobs", INVALID),
    (openai.BadRequestError, {"logprobs": True}, None, "invalid_request"),
    (openai.BadRequestError, {"max_tokens": 1, "max_completion_tokens": 2}, "max_tokens", INVALID),
    (openai.BadRequestError, {"n": 9}, "n", INVALID),
    (openai.BadRequestError, {"stream_options": {"include_usage": True}}, "stream_options", INVALID),
    (openai.BadRequestError, {"messages": []}, "messages", INVALID),
    (openai.BadRequestError, {"messages": [{"role": "assistant", "content": "x"}]}, None, "invalid_request"),
    (openai.BadRequestError, {"messages": [{"role": "tool", "content": "x"}]}, "messages.0", UNSUPPORTED),
    (openai.BadRequestError, {"messages": [{"role": "user", "content": [PICTURE]}]}, "messages.0", UNSUPPORTED),
    (openai.BadRequestError, {"messages": [user(" ")]}, None, "invalid_request"),
    (openai.APIStatusError, {"messages": [user("x" * 40_000)]}, "messages", "message_too_long"),
]


@pytest.mark.parametrize(("kind", "changes", "param", "code"), REFUSED)
def test_what_cannot_be_served_is_refused_by_name(
    app: Site, kind: type[openai.APIStatusError], changes: dict[str, Any], param: str | None, code: str
) -> None:
    with pytest.raises(kind) as caught:
        app.openai().chat.completions.create(**{"model": "echo", "messages": [user("hi")], **changes})
    error = caught.value
    assert (error.param, error.code, error.type) == (param, code, "invalid_request_error")
    assert error.body["message"][-1] in ".?"  # type: ignore[index]


def test_embeddings_are_refused_with_a_sentence(app: Site) -> None:
    with pytest.raises(openai.NotFoundError, match="No model here makes embeddings"):
        app.openai().embeddings.create(model="pip", input="x")


def test_a_client_that_gives_up_after_its_time_stops_the_answer(app: Site) -> None:
    with pytest.raises(openai.APITimeoutError):
        app.openai(timeout=0.5).chat.completions.create(model="slow", messages=[user("on and on " * 200)])
    until(app.idle)


def test_a_stream_that_is_closed_stops_the_answer(app: Site) -> None:
    with app.openai().chat.completions.create(
        model="slow", messages=[user("It goes on. " * 200)], stream=True, max_tokens=100_000
    ) as stream:
        assert any(chunk.choices[0].delta.content for chunk in stream)
        assert not app.idle()
    until(app.idle)
