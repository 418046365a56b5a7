"""The sampler's distribution against transformers' logits processors, and its draws against the distribution."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from playground.domain import SamplingParams
from playground.engines.sampling import Sampler, log_softmax, most_probable

VOCABULARY = 300
LOGITS = np.random.default_rng(1).normal(0, 3, VOCABULARY).astype(np.float32)
SEEN = [5, 17, 17, 80, 299]

SETTINGS: list[dict[str, Any]] = [
    {"temperature": 1.0, "top_p": 1.0},
    {"temperature": 0.3, "top_p": 1.0},
    {"temperature": 2.0, "top_p": 0.9},
    {"temperature": 1.0, "top_p": 0.5, "top_k": 20},
    {"temperature": 1.0, "top_p": 0.0},
    {"temperature": 0.8, "top_p": 1.0, "top_k": 7},
    {"temperature": 1.5, "top_p": 0.999, "min_p": 0.05},
    {"temperature": 5.0, "top_p": 0.9999},
    {"temperature": 1.0, "top_p": 0.95, "top_k": 50, "min_p": 0.02, "repetition_penalty": 1.4},
    {"temperature": 1.0, "top_p": 1.0, "repetition_penalty": 0.7},
]


def expected(params: SamplingParams, logits: np.ndarray[Any, Any] = LOGITS) -> np.ndarray[Any, Any]:
    """What transformers would draw from."""
    import torch  # noqa: PLC0415
    from transformers.generation import logits_process as hf  # noqa: PLC0415

    scores = torch.from_numpy(logits.copy())[None]
    processors: list[Any] = [hf.RepetitionPenaltyLogitsProcessor(params.repetition_penalty)]
    processors.append(hf.TemperatureLogitsWarper(params.temperature))
    if params.top_k:
        processors.append(hf.TopKLogitsWarper(params.top_k))
    if params.top_p < 1:
        processors.append(hf.TopPLogitsWarper(params.top_p))
    if params.min_p:
        processors.append(hf.MinPLogitsWarper(params.min_p))
    for processor in processors:
        scores = processor(torch.tensor([SEEN]), scores)
    return scores.double().softmax(-1)[0].numpy()


def distribution(sampler: Sampler, logits: np.ndarray[Any, Any] = LOGITS) -> np.ndarray[Any, Any]:
    penalised = sampler._penalise(logits) if sampler._penalised is not None else logits
    ids, weights = sampler._candidates(penalised)
    probabilities = np.zeros(len(logits))
    probabilities[np.arange(len(logits)) if ids is None else ids] = weights / weights.sum(dtype=np.float64)
    return probabilities


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_distribution_is_that_of_transformers(settings: dict[str, Any]) -> None:
    params = SamplingParams(**settings)
    ours = distribution(Sampler(params, SEEN, VOCABULARY))
    theirs = expected(params)
    assert np.flatnonzero(ours).tolist() == np.flatnonzero(theirs).tolist()
    assert ours == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize("settings", SETTINGS[3:5] + SETTINGS[8:9], ids=str)
def test_draws_follow_the_distribution(settings: dict[str, Any]) -> None:
    theirs = expected(SamplingParams(**settings))
    draws = Counter(
        Sampler(SamplingParams(**settings, seed=seed), SEEN, VOCABULARY).choose(LOGITS) for seed in range(1500)
    )
    assert all(theirs[token] > 0 for token in draws)
    largest = int(theirs.argmax())
    error = 4 * (theirs[largest] * (1 - theirs[largest]) / 1500) ** 0.5
    assert draws[largest] / 1500 == pytest.approx(theirs[largest], abs=error + 1e-9)


def test_greedy_and_penalties_remember_what_was_chosen() -> None:
    greedy = Sampler(SamplingParams(temperature=0.0), [], VOCABULARY)
    assert greedy.greedy
    assert greedy.choose(LOGITS) == int(LOGITS.argmax())
    logits = np.zeros(10, np.float32)
    logits[[3, 6]] = 2.0, 1.5
    wary = Sampler(SamplingParams(temperature=0.0, repetition_penalty=2.0), [], 10)
    assert not wary.greedy
    assert [wary.choose(logits) for _ in range(3)] == [3, 6, 3]
    assert logits[3] == 2.0


def test_seeds_repeat() -> None:
    params = SamplingParams(temperature=1.5, seed=42)
    first, second = (Sampler(params, [], VOCABULARY) for _ in range(2))
    assert [first.choose(LOGITS) for _ in range(20)] == [second.choose(LOGITS) for _ in range(20)]


@pytest.mark.parametrize("temperature", [1e-9, 1e-4, 5.0])
def test_extreme_temperatures_stay_numbers(temperature: float) -> None:
    logits = (LOGITS * 1e4).astype(np.float32)
    token = Sampler(SamplingParams(temperature=temperature, top_p=0.9), [], VOCABULARY).choose(logits)
    assert token == int(logits.argmax())


def test_log_softmax_and_alternatives() -> None:
    logprobs = log_softmax(LOGITS)
    assert np.exp(logprobs).sum() == pytest.approx(1.0)
    best = most_probable(logprobs, 3)
    assert [token for token, _ in best] == np.argsort(-LOGITS)[:3].tolist()
    assert most_probable(logprobs, 0) == []
    assert len(most_probable(logprobs, 1000)) == VOCABULARY


def test_presence_and_frequency_penalties_count_the_answer_s_tokens_only() -> None:
    """OpenAI's formula: mu[j] - c[j] * frequency - (c[j] > 0) * presence."""
    params = SamplingParams(temperature=1.0, top_p=1.0, presence_penalty=0.5, frequency_penalty=0.25)
    sampler = Sampler(params, SEEN, VOCABULARY)
    for token in (3, 3, 9):
        sampler.note(token)
    wanted = LOGITS.astype(np.float64)
    wanted[3] -= 0.5 + 2 * 0.25
    wanted[9] -= 0.5 + 0.25
    wanted = np.exp(wanted - wanted.max())
    np.testing.assert_allclose(sampler.shares(LOGITS), wanted / wanted.sum(), rtol=1e-4)
    gone_on = Sampler(params, [*SEEN, 3, 3, 9], VOCABULARY, chosen=3)
    np.testing.assert_allclose(gone_on.shares(LOGITS), sampler.shares(LOGITS), rtol=1e-6)
    greedy = SamplingParams(temperature=0, frequency_penalty=2.0)
    assert not Sampler(greedy, SEEN, VOCABULARY).greedy
    repeating = Sampler(greedy, SEEN, VOCABULARY)
    assert len({repeating.choose(LOGITS) for _ in range(20)}) > 1
