"""What a model thinks is taken out of a blind answer, whatever its family's tags are and wherever a stream is cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.arena.thoughts import without_thoughts

THOUGHT = (
    "<think>Hm, 1 < 2.</think>\n\nYes.", "<THINK>\nHm.\n</THINK>Yes.", "<thinking>Hm.</thinking> Yes.",
    "<Thought>Hm.</Thought><Output>Yes.</Output>", "<reasoning_content>Hm.</reasoning_content>Yes.",
    "<reasoning>Hm.</reasoning>\n<answer>\nYes.</answer>",
    "<think>Hm.</think><think>Hm.</think>\n<response>Yes.</response>",
    "[THINK]Hm.[/THINK]Yes.", "◁think▷Hm.◁/think▷Yes.", "<|think|>Hm.<|end|>Yes.",
    "<longcat_think>Hm.</longcat_think>Yes.",
    "<seed:think>Hm.<seed:cot_budget_reflect>Hm.</seed:cot_budget_reflect></seed:think>Yes.",
    "<|begin_of_thought|>\n\nHm.\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\nYes.<|end_of_solution|>",
    "<|START_THINKING|>Hm.<|END_THINKING|><|START_RESPONSE|>Yes.<|END_RESPONSE|>",
    "<|inner_prefix|>Hm.<|inner_suffix|>Yes.", "<|channel>thought\nHm.<channel|>Yes.",
    "<unused94>thought\nHm.<unused95>Yes.",
    "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Yes.<|return|>",
    "<|channel|>analysis<|message|>Hm.<|channel|>final<|message|>Yes.", "</think>\n\nYes.",
    "Here is my thought process:\nHm.\n\nHere is my response:\n\nYes.",
    "Here's my thought process: Hm. Here's my response: Yes.",
)  # fmt: skip
ANSWERS = (
    "Yes.", "R1 writes its thoughts in `<think>` and \"</think>\".",
    "HTML has <output> and <b>bold</b>; 1 < 2, a[1] > 2.",
    "So here is my thought process: I add them.", "Tôi nghĩ là có. <|nothing|>",
)  # fmt: skip


def streamed(text: str) -> str:
    """The text's answer, once every beginning of it has been looked at."""
    whole = without_thoughts(text, complete=True)
    for end in range(len(text) + 1):
        shown = without_thoughts(text[:end], complete=False)
        assert whole.startswith(shown), (text[:end], shown)
    return whole


@pytest.mark.parametrize("text", THOUGHT)
def test_a_thought_goes_with_its_tags_and_leaves_no_trace(text: str) -> None:
    assert streamed(text).strip() == "Yes."


@pytest.mark.parametrize("text", ANSWERS)
def test_an_answer_stays(text: str) -> None:
    assert streamed(text) == text


def test_a_thought_that_does_not_end_shows_nothing() -> None:
    assert streamed("[THINK]As Qwen I must think of </think> and") == ""
    assert streamed("Well.\n<think>As Qwen I") == "Well.\n"


def test_a_tag_in_the_making_is_withheld_and_no_more() -> None:
    assert without_thoughts("It is so. <", complete=False) == "It is so. "
    assert without_thoughts("It is so. <b", complete=False) == "It is so. <b"
    assert without_thoughts("It is so. <", complete=True) == "It is so. <"


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([*THOUGHT, *ANSWERS, "<", "\n", " hm ", "<|", "[TH"]), max_size=4))
def test_what_was_shown_stays(parts: list[str]) -> None:
    streamed("".join(parts))
