"""Answers held to a JSON schema: by the embedded model, which knows no JSON, and by random ones on every engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from playground.domain import FinishReason, SamplingParams
from playground.engines import grammar as grammars
from playground.engines.contract import EngineOptions, Prompt, Turn
from playground.engines.detokenizer import TokenTable, Vocabulary
from playground.engines.grammar import MOST_CHARACTERS, GrammarMaker, check_schema
from playground.engines.local_engine import LocalEngine
from playground.engines.onnx_engine import load_onnx_engine
from playground.engines.registry import ENGINES
from playground.engines.registry import check_schema as check_for
from playground.engines.tokenizer import read_tokenizer
from playground.errors import BadSchema, NoSchemas
from tests.engines.answers import Answer
from tests.engines.conftest import make_spec, make_tokenizer
from tests.engines.schemas import SCHEMAS, WORD, record

PIP = make_spec("onnx", Path(__file__).parents[2] / "playground" / "embedded" / "pip" / "int8", "pip")
SHIPPED = tuple(ENGINES)
"""The kinds there are before another module's tests add their own for as long as they last."""


@pytest.fixture(scope="module")
def pip() -> Iterator[LocalEngine]:
    engine = load_onnx_engine(PIP, EngineOptions(threads=1, max_batch=8, kv_cache_mb=64), lambda _: None)
    yield engine
    engine.close()


def ask(engine: LocalEngine, schema: object = None, question: str = "What is a token?", **params: Any) -> Answer:
    tokens = read_tokenizer(PIP).encode_chat([Turn("user", question)])
    held = None if schema is None else json.dumps(schema)
    settings = SamplingParams(**{"temperature": 0.0, "max_tokens": 120, "schema": held} | params)
    return Answer(list(engine.generate(Prompt((), tuple(tokens)), settings)))


def valid(answer: Answer, schema: object) -> object:
    content = json.loads(answer.text)
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(content)
    assert answer.last.finish_reason is FinishReason.STOP
    return content


SETTINGS: list[dict[str, Any]] = [
    {},
    {"temperature": 1.0, "seed": 5},
    {"temperature": 2.0, "top_k": 40, "min_p": 0.01, "seed": 6},
    {"temperature": 0.8, "repetition_penalty": 1.3, "frequency_penalty": 0.5, "seed": 7},
]


@pytest.mark.parametrize("name", SCHEMAS)
def test_what_is_written_parses_and_validates(pip: LocalEngine, name: str) -> None:
    schema = SCHEMAS[name]
    with ThreadPoolExecutor(8) as threads:
        asked = [params | {"max_tokens": most} for params in SETTINGS for most in (120, 70)]
        for answer in threads.map(lambda params: ask(pip, schema, **params), asked):
            valid(answer, schema)
            assert answer.last.usage is not None
            assert answer.last.usage.completion_tokens <= 120
    assert len(SCHEMAS) == 20


def test_without_room_for_a_document_an_answer_is_cut(pip: LocalEngine) -> None:
    answer = ask(pip, SCHEMAS["nested"], max_tokens=6)
    assert answer.last.finish_reason is FinishReason.LENGTH
    assert '{"person": {"name'.startswith(answer.text)


def test_whatever_the_limit_a_document_is_ended_in_it(pip: LocalEngine) -> None:
    schema = SCHEMAS["record"]
    for most in range(34, 54):
        answer = ask(pip, schema, max_tokens=most, temperature=1.5, seed=most)
        valid(answer, schema)


def test_others_in_the_batch_write_what_they_would_alone(pip: LocalEngine) -> None:
    alone = [ask(pip, None, question).text for question in ("Hello!", "Xin chào, bạn là ai?")]
    with ThreadPoolExecutor(6) as threads:
        held = [threads.submit(ask, pip, SCHEMAS[name], temperature=1.0) for name in ("record", "nested", "any object")]
        free = [threads.submit(ask, pip, None, question) for question in ("Hello!", "Xin chào, bạn là ai?")]
        assert [job.result().text for job in free] == alone
        for job, name in zip(held, ("record", "nested", "any object"), strict=True):
            valid(job.result(), SCHEMAS[name])


def test_stop_texts_cut_and_probabilities_are_the_models_own(pip: LocalEngine) -> None:
    whole = ask(pip, SCHEMAS["record"], logprobs=2)
    assert "".join(item.text for item in whole.logprobs) == whole.text
    assert all(item.logprob <= 0 and len(item.top) == 2 for item in whole.logprobs)
    assert whole.logprobs[0].text not in {text for _, text, _ in whole.logprobs[0].top}  # it would not begin with {
    cut = ask(pip, SCHEMAS["record"], stop=('"age"',))
    assert (cut.text, cut.last.finish_reason) == (whole.text[: whole.text.index('"age"')], FinishReason.STOP)


def test_one_line_as_json_writes_it(pip: LocalEngine) -> None:
    many = {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 5}
    answer = ask(pip, record(a={"type": "boolean"}, b=many))
    assert answer.text == json.dumps(json.loads(answer.text))


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "nope"}, "Invalid type"),
        ({"not": WORD}, "Unimplemented keys"),
        ({"type": "array", "uniqueItems": True}, "uniqueItems"),
        ({"$ref": "https://example.com/schema.json"}, "does not fetch"),
        ({"$ref": "#/$defs/gone"}, "does not exist"),
        ({"type": "string", "minLength": 5, "maxLength": 2}, "Unsatisfiable"),
        ({"type": "string", "pattern": "(secret"}, "unclosed group"),
        ({"allOf": [{"anyOf": [record(**{f"p{2 * n}": WORD}), record(**{f"p{2 * n + 1}": WORD})]} for n in range(14)]},
         "too large"),
        ([], "cannot be read"),
        (False, "cannot be read"),
        ({"minimum": 1e999}, "cannot be read"),
        ({"const": "x" * MOST_CHARACTERS}, "at most"),
        ({"const": "\ud800"}, "surrogates"),
        ({"x-guidance": {"lenient": True}, "not": WORD}, "Unimplemented"),
    ],
)  # fmt: skip
def test_schemas_that_cannot_be_kept_to_are_refused_with_the_reason(schema: object, reason: str) -> None:
    text = json.dumps(schema, ensure_ascii=False)
    with pytest.raises(BadSchema, match=reason) as caught:
        check_schema(text)
    assert "secret" not in str(caught.value)
    with pytest.raises(BadSchema, match=reason):
        maker().make(text, 10)


def test_a_schema_may_be_nested_and_no_more_than_that() -> None:
    deep: dict[str, Any] = {"type": "integer"}
    for _ in range(30):
        deep = {"type": "array", "items": deep}
    check_schema(json.dumps(deep))
    for levels in (200, 4000):
        with pytest.raises(BadSchema):
            check_schema('{"items": ' * levels + "{}" + "}" * levels)


def test_which_models_can() -> None:
    for engine in ("onnx", "torch", "auto"):
        row = make_spec(engine) if engine != "auto" else make_auto()
        check_for(row, '{"type": "integer"}')
        with pytest.raises(BadSchema):
            check_for(row, '{"type": "nope"}')
    check_for(make_spec("remote"), '{"type": "whatever the server knows"}')
    with pytest.raises(BadSchema):
        check_for(make_spec("remote"), " " * (MOST_CHARACTERS + 1))
    with pytest.raises(NoSchemas, match="Tiny"):
        check_for(make_spec("echo"), "{}")
    assert {name for name in SHIPPED if ENGINES[name].check_schema is None} == {"echo"}


def make_auto() -> Any:
    from dataclasses import replace  # noqa: PLC0415

    return replace(make_spec("auto"), engines=("torch", "onnx"))


def test_a_schema_that_is_too_costly_ends_its_own_answer_only(
    pip: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llguidance import LLParserLimits  # noqa: PLC0415

    limits = LLParserLimits(step_max_items=5, verbose_errors=False)
    monkeypatch.setattr(grammars, "_limits", lambda: limits)
    with ThreadPoolExecutor(2) as threads:
        other = threads.submit(ask, pip, None, "Hello!")
        with pytest.raises(BadSchema, match="too costly"):
            ask(pip, SCHEMAS["any object"])
        assert other.result().text == ask(pip, None, "Hello!").text


def maker(eos_ids: frozenset[int] = frozenset({2})) -> GrammarMaker:
    return GrammarMaker(Vocabulary(TokenTable(make_tokenizer()), eos_ids, 512))


def test_a_beginning_counts_and_a_model_that_cannot_end_is_refused() -> None:
    core = make_tokenizer()
    beginning = core.encode("[1").ids
    grammar = maker().make('{"type": "array", "items": {"type": "integer"}}', 20, beginning)
    held = grammar.hold(np.zeros(512, np.float16))
    assert held.dtype == np.float16
    following = {core.id_to_token(int(index)) for index in np.flatnonzero(np.isfinite(held))}
    assert {"]", ",", "2"} <= following
    assert not following & {"[", '"', "}"}
    with pytest.raises(NoSchemas):
        maker(frozenset()).make("{}", 10)
