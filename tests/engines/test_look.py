"""Looking at what a model held possible: equal to transformers on the same weights, and to what was drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from playground.catalog.spec import ModelSpec
from playground.domain import FinishReason, SamplingParams
from playground.engines.contract import EngineOptions, Look, Prompt, TransparentEngine
from playground.engines.echo_engine import EchoEngine
from playground.engines.local_engine import LocalEngine
from playground.engines.onnx_engine import load_onnx_engine
from playground.engines.pool import EnginePool
from playground.engines.torch_engine import load_torch_engine
from playground.errors import ContextTooLong, InvalidRequest
from tests.architectures import make_model, save_checkpoint
from tests.engines.answers import Answer, prompt_of, text_of
from tests.engines.conftest import Reference, make_spec

PIP = Path(__file__).parents[2] / "playground" / "embedded" / "pip" / "fp32"
PLAIN = SamplingParams(temperature=1.0, top_p=1.0, max_tokens=24)
SETTINGS = [
    replace(PLAIN, temperature=0.6, top_p=0.9),
    replace(PLAIN, temperature=1.7, top_k=12),
    replace(PLAIN, min_p=0.05, repetition_penalty=1.3),
    replace(PLAIN, temperature=0.0),
]


@pytest.fixture(params=["onnx", "torch"])
def engine(request: pytest.FixtureRequest, fp32_folder: Path, hf_folder: Path) -> Iterator[LocalEngine]:
    load: Callable[..., LocalEngine] = load_onnx_engine if request.param == "onnx" else load_torch_engine
    folder = fp32_folder if request.param == "onnx" else hf_folder
    loaded = load(make_spec(request.param, folder), EngineOptions(threads=1, kv_cache_mb=64), lambda _: None)
    yield loaded
    loaded.close()


def looks(
    engine: TransparentEngine, prompt: list[int], answer: list[int], first: int = 0, **changes: Any
) -> list[Look]:
    params = replace(PLAIN, **changes)
    return engine.look(Prompt((), tuple(prompt + answer), len(answer)), params, first=first, count=8)


def agree(found: list[Look], expected: Any, answer: list[int]) -> None:
    """`expected` are log-probabilities [places, vocabulary] in double precision."""
    assert len(found) == len(expected) == len(answer) + 1
    for look, logprobs, token in zip(found, expected, [*answer, None], strict=True):
        assert (look.stands is None) == (token is None)
        shown = [*look.top, look.drawn, *([look.stands] if look.stands else [])]
        for candidate in shown:
            assert math.exp(candidate.logprob) == pytest.approx(np.exp(logprobs[candidate.token_id]), abs=1e-4)
        assert [candidate.token_id for candidate in look.top] == list(np.argsort(-logprobs)[:8])
        assert look.entropy == pytest.approx(-(np.exp(logprobs) * logprobs).sum() / math.log(2), abs=1e-3)


def test_probabilities_equal_transformers(engine: LocalEngine, reference: Reference) -> None:
    prompt, answer = prompt_of(40), prompt_of(30, seed=3)
    expected = reference.logprobs(prompt + answer)[len(prompt) - 1 :]
    agree(looks(engine, prompt, answer), expected, answer)
    assert engine.score(prompt + answer)[len(prompt) - 1 :] == pytest.approx(
        [look.stands.logprob for look in looks(engine, prompt, answer) if look.stands], abs=1e-4
    )


@pytest.mark.parametrize("first", [0, 7, 29, 30])
def test_a_look_from_the_middle_is_the_same(engine: LocalEngine, reference: Reference, first: int) -> None:
    prompt, answer = prompt_of(40), prompt_of(30, seed=3)
    list(engine.generate(Prompt((), tuple(prompt)), PLAIN))  # so that keys and values are there to be used again
    expected = reference.logprobs(prompt + answer)[len(prompt) - 1 + first :]
    agree(looks(engine, prompt, answer, first=first), expected, answer[first:])


@pytest.mark.parametrize("params", SETTINGS)
def test_shares_are_those_of_the_logits_processors(
    engine: LocalEngine, reference: Reference, params: SamplingParams
) -> None:
    import torch  # noqa: PLC0415

    prompt, answer = prompt_of(25), prompt_of(6, seed=1)
    found = engine.look(Prompt((), tuple(prompt + answer), len(answer)), params, first=0, count=8)
    for place, look in enumerate(found):
        before = prompt + answer[:place]
        scores = reference.logits(before)[-1:]
        for process in processors(params):
            scores = process(torch.tensor([before]), scores)
        shares = (
            torch.softmax(scores[0], -1)
            if params.temperature
            else torch.nn.functional.one_hot(scores[0].argmax(), scores.shape[1]).double()
        )
        assert look.kept == int((shares > 0).sum())
        for candidate in look.top:
            assert candidate.share == pytest.approx(float(shares[candidate.token_id]), abs=1e-4)


def processors(params: SamplingParams) -> list[Any]:
    from transformers.generation import logits_process as known  # noqa: PLC0415

    made: list[Any] = []
    if params.repetition_penalty != 1:
        made.append(known.RepetitionPenaltyLogitsProcessor(params.repetition_penalty))
    if params.temperature not in {0, 1}:
        made.append(known.TemperatureLogitsWarper(params.temperature))
    if params.top_k:
        made.append(known.TopKLogitsWarper(params.top_k))
    if params.top_p < 1:
        made.append(known.TopPLogitsWarper(params.top_p))
    if params.min_p:
        made.append(known.MinPLogitsWarper(params.min_p))
    return made


@pytest.mark.parametrize("params", [*SETTINGS, PLAIN])
def test_stepping_with_a_seed_equals_generating_with_it(engine: LocalEngine, params: SamplingParams) -> None:
    seeded = replace(params, seed=41, logprobs=0)
    prompt = prompt_of(30)
    written = Answer(list(engine.generate(Prompt((), tuple(prompt)), seeded))).tokens
    stepped: list[int] = []
    while len(stepped) < len(written):
        (look,) = engine.look(Prompt((), tuple(prompt + stepped), len(stepped)), seeded, first=len(stepped), count=3)
        stepped.append(look.drawn.token_id)
    assert stepped == written
    whole = engine.look(Prompt((), tuple(prompt + written), len(written)), seeded, first=0, count=3)
    assert [look.drawn.token_id for look in whole[:-1]] == written


@pytest.mark.parametrize("kept", [1, 5, 23])
def test_going_on_from_a_beginning_is_the_same_answer(engine: LocalEngine, kept: int) -> None:
    seeded = replace(PLAIN, seed=8, logprobs=0, repetition_penalty=1.2)
    prompt = prompt_of(30)
    written = Answer(list(engine.generate(Prompt((), tuple(prompt)), seeded)))
    assert len(written.tokens) == PLAIN.max_tokens
    going_on = Answer(list(engine.generate(Prompt((), tuple(prompt + written.tokens[:kept]), kept), seeded)))
    assert going_on.text == written.text == text_of(written.tokens)
    assert going_on.tokens == written.tokens[kept:]
    assert going_on.last.usage is not None
    assert going_on.last.usage.prompt_tokens == len(prompt)
    assert going_on.last.usage.completion_tokens == PLAIN.max_tokens - kept


def test_a_beginning_that_ends_the_answer_is_all_of_it(engine: LocalEngine) -> None:
    answer = prompt_of(4)
    (whole,) = engine.generate(Prompt((), (*prompt_of(9), *answer, 2), 5), PLAIN)
    assert (whole.text, whole.finish_reason) == (text_of(answer), FinishReason.STOP)
    (stopped,) = engine.generate(Prompt((), (*prompt_of(9), *answer), 4), replace(PLAIN, stop=(text_of(answer)[2:],)))
    assert (stopped.text, stopped.finish_reason) == (text_of(answer)[:2], FinishReason.STOP)


def test_what_cannot_be_looked_at_is_refused(engine: LocalEngine) -> None:
    for answered, first in ((0, 1), (3, 4), (3, -1), (10, 0)):
        with pytest.raises(InvalidRequest, match="has no place"):
            engine.look(Prompt((), tuple(prompt_of(10)), answered), PLAIN, first=first, count=3)
    with pytest.raises(ContextTooLong):
        engine.look(Prompt((), tuple(prompt_of(512)), 3), PLAIN, first=0, count=3)
    assert not isinstance(EchoEngine(), TransparentEngine)


def test_a_worker_shows_the_same(new_pool: Callable[..., EnginePool], fp32_folder: Path) -> None:
    spec: ModelSpec = make_spec("onnx", fp32_folder)
    with new_pool().acquire(spec) as far, new_pool(in_process=True).acquire(spec) as near:
        assert isinstance(far, TransparentEngine)
        assert isinstance(near, TransparentEngine)
        assert looks(far, prompt_of(9), prompt_of(3), seed=4) == looks(near, prompt_of(9), prompt_of(3), seed=4)


def pip_in_transformers() -> Any:
    """Pip from the very numbers of its graph, as the Llama it is."""
    from transformers import LlamaForCausalLM  # noqa: PLC0415

    from training.chat.earlier import graph_weights  # noqa: PLC0415
    from training.chat.export import build_config  # noqa: PLC0415
    from training.chat.pipeline import STANDARD  # noqa: PLC0415

    weights = {f"model.{name}": value for name, value in graph_weights(PIP / "model.onnx", STANDARD.shape).items()}
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
    model = LlamaForCausalLM(build_config(STANDARD.shape, 2, 0)).eval()
    model.load_state_dict(weights)
    return model


def test_pip_shows_the_probabilities_that_transformers_computes() -> None:
    import torch  # noqa: PLC0415

    from playground.engines.contract import Turn  # noqa: PLC0415
    from playground.engines.tokenizer import read_tokenizer  # noqa: PLC0415

    spec = make_spec("onnx", PIP)
    tokenizer = read_tokenizer(spec)
    prompt = tokenizer.encode_chat([Turn("user", "Bạn là ai? And what can you do?")])
    engine = load_onnx_engine(spec, EngineOptions(threads=1, kv_cache_mb=64), lambda _: None)
    try:
        written = Answer(list(engine.generate(Prompt((), tuple(prompt)), replace(PLAIN, logprobs=0, seed=1)))).tokens
        found = looks(engine, prompt, written)
    finally:
        engine.close()
    with torch.no_grad():
        logits = pip_in_transformers()(torch.tensor([prompt + written])).logits[0, len(prompt) - 1 :]
    agree(found, torch.log_softmax(logits.double(), -1).numpy(), written)


@pytest.mark.parametrize("name", ["mistral", "gemma2", "gemma3", "smollm3", "phi3", "lfm2", "qwen3_5", "gpt2"])
def test_every_kind_of_layer_shows_the_probabilities_of_transformers(name: str, tmp_path: Path) -> None:
    """Also those that keep a window or a running state, and from keys and values that are there already."""
    import torch  # noqa: PLC0415

    model = make_model(name)
    prompt, answer = prompt_of(40), prompt_of(12, seed=5)
    with torch.no_grad():
        logits = model(torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 :]
    expected = torch.log_softmax(logits.double(), -1).numpy()
    engine = load_torch_engine(
        make_spec("torch", save_checkpoint(name, tmp_path)), EngineOptions(threads=1, kv_cache_mb=64), lambda _: None
    )
    try:
        agree(looks(engine, prompt, answer), expected, answer)
        list(engine.generate(Prompt((), tuple(prompt)), replace(PLAIN, max_tokens=4)))
        agree(looks(engine, prompt, answer, first=5), expected[5:], answer[5:])
        agree(looks(engine, prompt, answer, first=12), expected[12:], [])
    finally:
        engine.close()
