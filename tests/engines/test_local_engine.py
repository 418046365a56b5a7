"""Engines that compute here against transformers on the same weights: alone, together, after hits, cuts, cancellations.

The same tests for every library that runs the layers.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from playground.domain import FinishReason, Loading, Queued, SamplingParams, Stage
from playground.engines import engine_loop, graph_signature, model_runner, torch_runner
from playground.engines.contract import EngineOptions, Prompt
from playground.engines.local_engine import LocalEngine
from playground.engines.onnx_engine import load_onnx_engine
from playground.engines.torch_engine import load_torch_engine
from playground.errors import ContextTooLong, EngineError, InvalidRequest
from tests.engines.answers import TABLE, Answer, NewEngine, ask, check, prompt_of, text_of
from tests.engines.conftest import Reference, make_spec


@dataclass(frozen=True)
class Kind:
    """One library that runs the layers: how to load, its runner, and what to patch for short chunks."""

    load: Callable[..., LocalEngine]
    runner: type
    chunk: tuple[object, str, object]


KINDS = {
    "onnx": Kind(load_onnx_engine, model_runner.ModelRunner, (graph_signature, "MAX_CHUNK", 16)),
    "torch": Kind(load_torch_engine, torch_runner.TorchRunner, (torch_runner, "_CHUNKS", {"cpu": 16})),
}


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture
def new_engine(kind: Kind, fp32_folder: Path, hf_folder: Path) -> Iterator[NewEngine]:
    engines: list[LocalEngine] = []
    name = next(name for name in KINDS if KINDS[name] is kind)

    def make(**changes: int) -> LocalEngine:
        options = EngineOptions(**({"threads": 1, "max_batch": 4, "kv_cache_mb": 64} | changes))
        folder = {"onnx": fp32_folder, "torch": hf_folder}[name]
        engines.append(kind.load(make_spec(name, folder), options, lambda _: None))
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()


@pytest.mark.parametrize("logprobs", [None, 0])
def test_alone(new_engine: NewEngine, reference: Reference, logprobs: int | None) -> None:
    engine = new_engine()
    for length in (1, 17, 130):
        prompt = prompt_of(length)
        check(reference, ask(engine, prompt, logprobs=logprobs), prompt)


@pytest.mark.parametrize("logprobs", [None, 0])
def test_in_a_batch_with_others_of_all_lengths(
    new_engine: NewEngine, reference: Reference, logprobs: int | None
) -> None:
    engine = new_engine()
    jobs = [
        (prompt_of(length), count) for length, count in zip(range(3, 120, 12), (40, 5, 30, 60, 12) * 2, strict=True)
    ]
    with ThreadPoolExecutor(len(jobs)) as threads:
        answers = list(threads.map(lambda job: ask(engine, job[0], max_tokens=job[1], logprobs=logprobs), jobs))
    for answer, (prompt, count) in zip(answers, jobs, strict=True):
        check(reference, answer, prompt, count)


def test_after_a_prefix_hit(new_engine: NewEngine, reference: Reference) -> None:
    engine = new_engine()
    prompt = prompt_of(60)
    first = ask(engine, prompt, logprobs=0)
    assert first.cached == 0
    again = ask(engine, prompt, logprobs=0)
    assert again.cached == len(prompt) - 1
    check(reference, again, prompt)
    follow_up = prompt + first.tokens + prompt_of(9)
    longer = ask(engine, follow_up, logprobs=0)
    assert longer.cached == len(prompt) + len(first.tokens) - 1
    check(reference, longer, follow_up)
    edited = prompt[:40] + prompt_of(8)
    shorter = ask(engine, edited, logprobs=0)
    assert shorter.cached == 40
    check(reference, shorter, edited)


def test_a_shared_beginning_is_copied_to_another_conversation(new_engine: NewEngine, reference: Reference) -> None:
    engine = new_engine()
    system = prompt_of(40)
    prompts = [system + prompt_of(length) for length in (60, 5, 80)]
    for prompt, cached in zip(prompts, (0, 40, 40), strict=True):
        answer = ask(engine, prompt)
        assert answer.cached == cached
        check(reference, answer, prompt)
    assert ask(engine, prompts[0]).cached == len(prompts[0]) - 1


def test_after_cancelled_neighbours(new_engine: NewEngine, reference: Reference) -> None:
    engine = new_engine()
    prompts = [prompt_of(length) for length in (30, 12, 55, 21)]
    started, done = threading.Barrier(4), threading.Event()

    def leave_early(prompt: list[int]) -> None:
        stream = engine.generate(Prompt((), tuple(prompt)), SamplingParams(temperature=0.0, max_tokens=400))
        next(stream)
        started.wait(10)
        stream.close()

    def stay(prompt: list[int]) -> Answer:
        stream = engine.generate(Prompt((), tuple(prompt)), SamplingParams(temperature=0.0, max_tokens=300, logprobs=0))
        deltas = [next(stream)]
        started.wait(10)
        done.wait(10)
        return Answer(deltas + list(stream))

    with ThreadPoolExecutor(4) as threads:
        staying = threads.submit(stay, prompts[1])
        leaving = [threads.submit(leave_early, prompt) for prompt in (prompts[0], *prompts[2:])]
        for job in leaving:
            job.result(10)
        done.set()
        check(reference, staying.result(20), prompts[1], 300)
    for prompt in prompts:
        check(reference, ask(engine, prompt, logprobs=0), prompt)


def test_a_long_prompt_is_read_in_chunks_while_others_write(
    new_engine: NewEngine, reference: Reference, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(*kind.chunk)
    engine = new_engine()
    long, short = prompt_of(300), prompt_of(10)
    with ThreadPoolExecutor(2) as threads:
        writing = threads.submit(ask, engine, short, max_tokens=200, logprobs=0)
        check(reference, ask(engine, long, logprobs=0), long)
        check(reference, writing.result(20), short, 200)


def test_progress_of_a_long_prompt_and_of_the_line(
    new_engine: NewEngine, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(*kind.chunk)
    engine = new_engine(max_batch=1)
    added = threading.Semaphore(0)
    all_added = threading.Event()
    prefill, add = kind.runner.prefill, engine_loop.EngineLoop.add

    def hesitant(self: Any, *arguments: Any, **options: Any) -> Any:
        assert all_added.wait(10)
        return prefill(self, *arguments, **options)

    def counted(self: engine_loop.EngineLoop, *arguments: Any) -> None:
        add(self, *arguments)
        added.release()

    monkeypatch.setattr(kind.runner, "prefill", hesitant)
    monkeypatch.setattr(engine_loop.EngineLoop, "add", counted)
    news: list[list[object]] = [[], [], []]

    def run(index: int) -> Answer:
        prompt = Prompt((), tuple(prompt_of(50)))
        return Answer(list(engine.generate(prompt, SamplingParams(max_tokens=2), news[index].append)))

    with ThreadPoolExecutor(3) as threads:
        jobs = []
        for index in range(3):
            jobs.append(threads.submit(run, index))
            assert added.acquire(timeout=10)
        all_added.set()
        for job in jobs:
            assert job.result(10).last.finish_reason is FinishReason.LENGTH
    assert news[0] == [Loading(Stage.PREFILLING, done / 50) for done in (16, 32, 48)]
    assert news[1][0] == Queued(1)
    assert [item for item in news[2] if isinstance(item, Queued)] == [Queued(2), Queued(1)]


def test_held_to_a_schema_beside_others(new_engine: NewEngine, reference: Reference) -> None:
    engine = new_engine()
    schema = {"type": "object", "properties": {"n": {"type": "integer"}, "to": {"enum": ["ai", "bạn"]}}}
    schema |= {"required": ["n", "to"], "additionalProperties": False}
    prompts = [prompt_of(length) for length in (30, 12, 25, 21)]

    def held(prompt: list[int]) -> Answer:
        return ask(engine, prompt, schema=json.dumps(schema), max_tokens=60, temperature=0.9, seed=len(prompt))

    with ThreadPoolExecutor(4) as threads:
        bound = [threads.submit(held, prompt) for prompt in prompts[:2]]
        free = [threads.submit(ask, engine, prompt, max_tokens=60) for prompt in prompts[2:]]
        for job in bound:
            content = json.loads(job.result(60).text)
            assert list(content) == ["n", "to"]
            assert content["to"] in {"ai", "bạn"}
            assert job.result().last.finish_reason is FinishReason.STOP
        for job, prompt in zip(free, prompts[2:], strict=True):
            check(reference, job.result(60), prompt, 60)


def test_logprobs_and_score(new_engine: NewEngine, reference: Reference) -> None:
    engine = new_engine()
    prompt = prompt_of(20)
    answer = ask(engine, prompt, logprobs=5)
    expected = reference.logprobs(prompt + answer.tokens)
    for place, item in enumerate(answer.logprobs, start=len(prompt) - 1):
        assert item.logprob == pytest.approx(expected[place, item.token_id], abs=1e-4)
        best = np.argsort(-expected[place])[:5]
        assert [index for index, _, _ in item.top] == best.tolist()
        assert [value for _, _, value in item.top] == pytest.approx(expected[place, best].tolist(), abs=1e-4)
        assert item.text == TABLE.bytes_of([item.token_id]).decode("utf-8", "replace")
    scores = engine.score(prompt)
    assert scores == pytest.approx([expected[place, token] for place, token in enumerate(prompt[1:])], abs=1e-4)
    assert engine.score(prompt[:1]) == []


def test_a_seed_gives_the_same_answer_whoever_else_asks(new_engine: NewEngine) -> None:
    engine = new_engine()
    prompt = prompt_of(15)
    settings: dict[str, Any] = {"temperature": 0.9, "top_p": 0.9, "top_k": 50, "max_tokens": 60, "logprobs": 0}
    alone = ask(engine, prompt, seed=11, **settings)
    assert ask(engine, prompt, seed=12, **settings).tokens != alone.tokens
    others = [prompt_of(length) for length in (4, 33, 70)]
    with ThreadPoolExecutor(4) as threads:
        noise = [threads.submit(ask, engine, other, temperature=1.5, max_tokens=100) for other in others]
        assert ask(engine, prompt, seed=11, **settings).tokens == alone.tokens
        for job in noise:
            job.result(20)


def test_each_row_has_its_own_settings(new_engine: NewEngine, reference: Reference) -> None:
    engine = new_engine()
    prompt = prompt_of(25)
    expected = reference.greedy(prompt, 40)
    word = text_of(expected)[10:14]
    with ThreadPoolExecutor(3) as threads:
        plain = threads.submit(ask, engine, prompt, max_tokens=40)
        hot = threads.submit(ask, engine, prompt, max_tokens=40, temperature=2.0, seed=1, repetition_penalty=1.3)
        cut = threads.submit(ask, engine, prompt, max_tokens=40, stop=(word,))
        assert plain.result(20).text == text_of(expected)
        assert hot.result(20).text != text_of(expected)
        assert cut.result(20).text == text_of(expected)[: text_of(expected).index(word)]
        assert cut.result(20).last.finish_reason is FinishReason.STOP


@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_stop_texts_are_never_emitted(new_engine: NewEngine, length: int) -> None:
    engine = new_engine()
    prompt = prompt_of(25)
    whole = ask(engine, prompt, max_tokens=120).text
    for start in range(0, len(whole) - length, 17):
        word = whole[start : start + length]
        answer = ask(engine, prompt, max_tokens=120, stop=("never occurs", word), logprobs=0)
        assert answer.text == whole[: whole.index(word)]
        assert answer.last.usage is not None
        assert answer.last.usage.completion_tokens == len(answer.logprobs)


def test_how_an_answer_ends(new_engine: NewEngine, reference: Reference) -> None:
    engine = new_engine()
    prompt = prompt_of(500)
    answer = ask(engine, prompt, max_tokens=100)
    assert answer.last.finish_reason is FinishReason.LENGTH
    assert answer.last.usage is not None
    assert answer.last.usage.completion_tokens == 12
    assert answer.last.timings is not None
    assert answer.last.timings.first_token > 0
    ends = next(
        (prompt, tokens)
        for prompt in (prompt_of(6, seed) for seed in range(400))
        if (tokens := reference.greedy(prompt, 60))[-1] == 2
    )
    stopped = ask(engine, ends[0], max_tokens=60, logprobs=0)
    assert stopped.tokens == ends[1]
    assert stopped.last.finish_reason is FinishReason.STOP
    assert "im_end" not in stopped.text


def test_what_is_refused(new_engine: NewEngine) -> None:
    engine = new_engine()
    with pytest.raises(ContextTooLong, match="512 tokens; this model takes 512"):
        ask(engine, prompt_of(512))
    for bad in ([], [-1], [10_000]):
        with pytest.raises(InvalidRequest, match="token ids"):
            ask(engine, bad)
        with pytest.raises(InvalidRequest):
            engine.score(bad)
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="unloaded"):
        ask(engine, prompt_of(3))


def test_closing_fails_what_is_under_way(new_engine: NewEngine) -> None:
    engine = new_engine()
    endless = SamplingParams(temperature=0.0, max_tokens=500, logprobs=20)
    stream = engine.generate(Prompt((), tuple(prompt_of(5))), endless)
    next(stream)
    engine.close()
    with pytest.raises(EngineError, match="unloaded"):
        list(stream)
