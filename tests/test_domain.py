"""The vocabulary refuses what cannot be, and explains itself."""

from __future__ import annotations

import pytest

from playground.domain import Action, Direction, Finding, Ruling, SamplingParams, Timings, Verdict


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -0.1),
        ("temperature", float("nan")),
        ("temperature", "warm"),
        ("top_p", 1.1),
        ("top_k", -1),
        ("min_p", 2),
        ("repetition_penalty", 0),
        ("max_tokens", 0),
        ("max_tokens", True),
        ("seed", -1),
        ("logprobs", 21),
    ],
)
def test_sampling_parameters_out_of_range_are_named(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        SamplingParams(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("stop", [("",), tuple("abcdefghijklmnopq")])
def test_stop_texts_are_limited(stop: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="stop"):
        SamplingParams(stop=stop)


def test_speed_needs_two_tokens_and_some_time() -> None:
    timings = Timings(decoding=2.0)
    assert timings.tokens_per_second(5) == 2.0
    assert timings.tokens_per_second(1) is None
    assert Timings().tokens_per_second(5) is None


def test_the_decisive_ruling_is_the_strongest_of_those_that_carry_the_action() -> None:
    def ruling(action: Action, score: float) -> Ruling:
        return Ruling(Finding("insult", score, (0, 1), "words", "1"), action, 0.5)

    rulings = (ruling(Action.WARN, 0.99), ruling(Action.BLOCK, 0.7), ruling(Action.BLOCK, 0.8))
    assert Verdict(Direction.INPUT, Action.BLOCK, rulings).decisive == rulings[2]
    assert Verdict(Direction.INPUT, Action.ALLOW).decisive is None


def test_a_rule_explains_an_action_better_than_a_judgement_whatever_the_scores() -> None:
    rule = Ruling(Finding("slur", 0.8, (0, 1), "words", "1"), Action.BLOCK, 0.5)
    judgement = Ruling(Finding("toxicity", 0.99, (0, 9), "embedded", "1", judged=True), Action.BLOCK, 0.9)
    noted = Ruling(Finding("profanity", 1.0, (0, 1), "words", "1"), Action.WARN, 0.5)
    assert Verdict(Direction.INPUT, Action.BLOCK, (judgement, rule, noted)).decisive == rule
    assert Verdict(Direction.INPUT, Action.BLOCK, (judgement, noted)).decisive == judgement
