"""What the model receives: what fits, newest first, with what was left out counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from playground.catalog.spec import ModelSpec
from playground.chat.prompting import build
from playground.domain import FinishReason, Message, SamplingParams
from playground.engines.contract import Turn
from playground.errors import ContextTooLong, InvalidRequest

SPEC = ModelSpec(
    id="m",
    name="Model",
    family="m",
    engine="echo",
    context_length=100,
    description={"en": "", "vi": ""},
    licence="",
    languages=(),
)
PARAMS = SamplingParams(max_tokens=40)


class Words:
    """A tokenizer of one token a word, and three around every turn."""

    def __init__(self) -> None:
        self.read = 0

    def encode(self, text: str) -> list[int]:
        self.read += len(text.split())
        return list(range(len(text.split())))

    def encode_chat(self, turns: Sequence[Turn]) -> list[int]:
        return [0] * sum(3 + len(self.encode(turn.content)) for turn in turns)


def talk(*answers: FinishReason | None, words: int = 7) -> list[Message]:
    """Exchanges of `words` words a message that ended in these ways, and a question."""
    said: list[Message] = []
    for number, reason in enumerate(answers):
        said.append(Message("user", " ".join([f"q{number}"] * words)))
        said.append(Message("assistant", " ".join([f"a{number}"] * words), finish_reason=reason))
    return [*said, Message("user", "now")]


def heard(branch: Sequence[Message], spec: ModelSpec = SPEC, tokenizer: Words | None = None) -> list[str]:
    """The first word of every turn."""
    return [turn.content.split()[0] for turn in build(branch, spec, PARAMS, tokenizer=tokenizer).prompt.turns]


def test_the_whole_branch_goes_in_when_it_fits() -> None:
    built = build(
        talk(FinishReason.STOP, FinishReason.LENGTH), SPEC, PARAMS, system_prompt="Be brief.", tokenizer=Words()
    )
    assert [turn.role for turn in built.prompt.turns] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert built.dropped_messages == 0
    assert len(built.prompt.token_ids) == 5 + 40 + 4
    assert built.params == PARAMS


def test_the_oldest_exchanges_give_way_and_are_counted() -> None:
    branch = talk(*[FinishReason.STOP] * 6)
    built = build(branch, SPEC, PARAMS, tokenizer=Words())
    assert [turn.content.split()[0] for turn in built.prompt.turns] == ["q4", "a4", "q5", "a5", "now"]
    assert built.dropped_messages == 8
    assert len(built.prompt.token_ids) <= 60


def test_turns_alternate_whatever_was_left_out() -> None:
    branch = talk(FinishReason.ERROR, FinishReason.STOP, FinishReason.CONTENT_FILTER, FinishReason.CANCELLED)
    for tokenizer in (Words(), None):
        assert heard(branch, tokenizer=tokenizer) == ["q1", "a1", "q3", "a3", "now"]
    roles = [turn.role for turn in build(branch, SPEC, PARAMS).prompt.turns]
    assert all(role != following for role, following in pairwise(roles))


def test_what_was_left_out_because_it_failed_is_not_counted_as_dropped() -> None:
    assert build(talk(FinishReason.ERROR), SPEC, PARAMS, tokenizer=Words()).dropped_messages == 0


def test_an_answer_without_text_is_left_out() -> None:
    branch = [Message("user", "q0"), Message("assistant", " ", finish_reason=FinishReason.INTERRUPTED), *talk()]
    assert heard(branch) == ["now"]


@pytest.mark.parametrize(("turns", "expected"), [(0, ["now"]), (1, ["q2", "a2", "now"]), (3, None), (9, None)])
def test_a_model_can_ask_for_a_short_history(turns: int, expected: list[str] | None) -> None:
    branch = talk(*[FinishReason.STOP] * 3, words=1)
    everything = ["q0", "a0", "q1", "a1", "q2", "a2", "now"]
    spec = replace(SPEC, history_turns=turns)
    assert heard(branch, spec) == (expected or everything)
    built = build(branch, spec, PARAMS)
    assert built.dropped_messages == len(everything) - len(built.prompt.turns)


def test_max_tokens_takes_at_most_half_of_the_context_and_what_is_left() -> None:
    greedy = SamplingParams(max_tokens=5000)
    built = build([Message("user", "w " * 40)], SPEC, greedy, tokenizer=Words())
    assert built.params.max_tokens == 100 - 43
    assert build([Message("user", "hi")], SPEC, greedy).params == greedy  # without a tokenizer the engine decides


def test_the_loaded_engine_s_context_counts_more_than_the_catalogue_s() -> None:
    branch = talk(*[FinishReason.STOP] * 2)
    assert build(branch, SPEC, PARAMS, tokenizer=Words(), context_length=60).dropped_messages == 2
    assert (
        build(branch, replace(SPEC, context_length=60), PARAMS, tokenizer=Words(), context_length=100).dropped_messages
        == 0
    )


@pytest.mark.parametrize(("words", "fits"), [(57, True), (58, False)])
def test_a_question_that_does_not_fit_is_told_with_numbers(words: int, fits: bool) -> None:
    branch = [*talk(FinishReason.STOP)[:-1], Message("user", "w " * words)]
    if fits:
        assert build(branch, SPEC, PARAMS, tokenizer=Words()).dropped_messages == 2
    else:
        with pytest.raises(ContextTooLong, match=r"61 tokens.*room for 60"):
            build(branch, SPEC, PARAMS, tokenizer=Words())


def test_a_long_history_gives_way_in_steps_so_that_prompts_begin_alike() -> None:
    spec = replace(SPEC, context_length=400)
    firsts = [heard(talk(*[FinishReason.STOP] * count), spec, Words())[0] for count in range(1, 60)]
    assert len(set(firsts)) <= 60 / 4
    assert int(firsts[-1][1:]) <= 59 - 14  # of the 18 exchanges that fit, at most 3 are given up


def test_a_long_history_is_not_tokenised_from_its_beginning() -> None:
    tokenizer = Words()
    build(talk(*[FinishReason.STOP] * 2000), SPEC, PARAMS, tokenizer=tokenizer)
    assert tokenizer.read < 500


def test_a_beginning_of_the_answer_stands_behind_the_prompt() -> None:
    plain = build(talk(FinishReason.STOP), SPEC, PARAMS, tokenizer=Words())
    begun = build(talk(FinishReason.STOP), SPEC, PARAMS, tokenizer=Words(), beginning=(7, 8))
    assert begun.prompt == replace(plain.prompt, token_ids=(*plain.prompt.token_ids, 7, 8), answered=2)
    assert begun.params == plain.params
    with pytest.raises(InvalidRequest, match="cannot go on from a token"):
        build(talk(), SPEC, PARAMS, beginning=(7,))
