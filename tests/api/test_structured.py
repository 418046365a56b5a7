"""Answers held to a form, asked for by the real `openai` package."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

import jsonschema
import openai
import pytest
from pydantic import BaseModel

from tests.api.conftest import Site, user
from tests.engines.schemas import SCHEMAS


class Pet(BaseModel):
    """A model of the kind that people give to `parse`."""

    name: str
    kind: Literal["cat", "dog", "cá vàng"]
    age: int
    nicknames: list[str]
    owner: Pet | None


ASKED: Any = {"model": "pip", "messages": [user("Tell me about your pet.")], "max_tokens": 200}


def form(schema: object, name: str = "answer") -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": name, "schema": schema, "strict": True}}


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_parse_gives_an_object(app: Site, temperature: float) -> None:
    completion = app.openai().chat.completions.parse(**ASKED, response_format=Pet, temperature=temperature, seed=4)
    pet = completion.choices[0].message.parsed
    assert isinstance(pet, Pet)
    assert completion.choices[0].finish_reason == "stop"


def test_a_stream_comes_to_the_same(app: Site) -> None:
    client = app.openai()
    whole = client.chat.completions.parse(**ASKED, response_format=Pet, temperature=0).choices[0].message
    with client.chat.completions.stream(**ASKED, response_format=Pet, temperature=0) as stream:
        pieces = [event.delta for event in stream if event.type == "content.delta"]
        final = stream.get_final_completion().choices[0].message
    assert "".join(pieces) == whole.content
    assert final.parsed == whole.parsed


def test_several_choices_with_probabilities_and_stop(app: Site) -> None:
    client = app.openai()
    schema = SCHEMAS["record"]
    answer = client.chat.completions.create(
        **ASKED, response_format=form(schema), n=3, seed=1, temperature=1.3, logprobs=True, top_logprobs=2
    )  # type: ignore[call-overload]
    for choice in answer.choices:
        jsonschema.validate(json.loads(choice.message.content), schema)
        said = b"".join(bytes(token.bytes or []) for token in choice.logprobs.content)
        assert said.decode() == choice.message.content
    cut = client.chat.completions.create(**ASKED, response_format=form(schema), stop='"age"')  # type: ignore[call-overload]
    assert cut.choices[0].message.content.endswith(", ")


def test_any_object_and_text_are_forms_too(app: Site) -> None:
    client = app.openai()
    asked = ASKED | {"max_tokens": 60}
    answer = client.chat.completions.create(**asked, response_format={"type": "json_object"})
    assert isinstance(json.loads(answer.choices[0].message.content or ""), dict)
    for place in ("value", "schema"):
        named: Any = {"type": "json_object", place: {"enum": ["here"]}}
        answer = client.chat.completions.create(**asked, response_format=named)
        assert answer.choices[0].message.content == '"here"'
    free = client.chat.completions.create(**asked, response_format={"type": "text"}, temperature=0)
    assert free.choices[0].message.content == (
        client.chat.completions.create(**asked, temperature=0).choices[0].message.content
    )


def test_an_answer_that_is_cut_is_told_as_such(app: Site) -> None:
    with pytest.raises(openai.LengthFinishReasonError):
        app.openai().chat.completions.parse(**ASKED | {"max_tokens": 5}, response_format=Pet)


def test_tags_of_thinking_are_part_of_a_document(serve: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> None:
    site = serve()
    spec = site.services.catalog.get("pip")
    object.__setattr__(spec, "reasoning_tags", ("<think>", "</think>"))
    schema = {"const": "<think>one</think>two"}
    message = site.chat("Think!", "pip", response_format=form(schema)).json()["choices"][0]["message"]
    assert message == {"role": "assistant", "content": json.dumps("<think>one</think>two"), "refusal": None}


def test_another_client_gets_the_same(app: Site) -> None:
    """Hugging Face's own, which checks what comes against classes of its own."""
    from huggingface_hub import InferenceClient  # noqa: PLC0415

    client = InferenceClient(base_url=app.address + "/v1", api_key="none")
    asked: Any = {"model": "pip", "messages": [user("Tell me about your pet.")], "max_tokens": 100, "temperature": 0.0}
    told = client.chat_completion(**asked, response_format=form(SCHEMAS["record"]), logprobs=True, top_logprobs=1)
    jsonschema.validate(json.loads(told.choices[0].message.content or ""), SCHEMAS["record"])
    pieces = client.chat_completion(**asked, response_format=form(SCHEMAS["record"]), stream=True)
    said = "".join(piece.choices[0].delta.content or "" for piece in pieces)
    assert said == told.choices[0].message.content


INVALID = "invalid_json_schema"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("model", "asked", "named", "says"),
    [
        ("pip", form({"type": "array", "uniqueItems": True}), ("response_format", INVALID), "uniqueItems"),
        ("pip", form({"$ref": "https://schemas.example/x"}), ("response_format", INVALID), "does not fetch"),
        ("pip", form({"const": "x" * 40_000}), ("response_format", INVALID), "at most"),
        ("echo", form({"type": "integer"}), ("response_format", "unsupported_parameter"), "cannot be held"),
        ("echo", {"type": "json_object"}, ("response_format", "unsupported_parameter"), "another model"),
        ("pip", {"type": "json_schema"}, ("response_format.json_schema", "missing_required_parameter"), "missing"),
        ("pip", form({}, "no name!"), ("response_format.json_schema.name", "invalid_value"), "name"),
        ("pip", {"type": "grammar"}, ("response_format.type", "invalid_value"), "json_schema"),
        ("pip", {"type": "text", "more": 1}, ("response_format.more", "unknown_parameter"), "more"),
    ],
)
def test_forms_that_cannot_be_kept_are_refused(
    app: Site, model: str, asked: dict[str, Any], named: tuple[str, str], says: str, *, stream: bool
) -> None:
    with pytest.raises(openai.BadRequestError, match=says) as caught:
        app.openai().chat.completions.create(**ASKED | {"model": model}, response_format=asked, stream=stream)
    assert (caught.value.param, caught.value.code) == named


def test_a_schema_is_screened_like_a_message(app: Site) -> None:
    schema = {"enum": ["kill yourself you worthless piece of shit"]}
    with pytest.raises(openai.BadRequestError) as caught:
        app.openai().chat.completions.create(**ASKED, response_format=form(schema))  # type: ignore[call-overload]
    assert caught.value.code == "content_policy_violation"


def test_what_a_schema_forces_is_screened_like_an_answer(app: Site) -> None:
    schema = {"const": "Fine so far.\nAnd then you motherfucker comes."}
    answer = app.chat("Go on.", "pip", response_format=form(schema), max_tokens=100).json()["choices"][0]
    assert answer["finish_reason"] == "content_filter"
    assert "motherfucker" not in str(answer)
