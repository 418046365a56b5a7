"""Answers of every family, in their form and in any other: what is not an answer is never "safe"."""

from __future__ import annotations

import math

import pytest

from playground.domain import Direction
from playground.errors import DetectorUnavailable
from playground.moderation.guard_models.answer import Answer, read_answer, read_first_token
from playground.moderation.guard_models.rows import GUARDS, load_guards

ROWS = load_guards(GUARDS)
QWEN, LLAMA = ROWS["qwen3guard-0.6b"], ROWS["llama-guard-3-8b"]
SHIELD, GRANITE = ROWS["shieldgemma-2b"], ROWS["granite-guardian-3.2-5b"]


def read(row_name: str, text: str, direction: Direction = Direction.INPUT) -> Answer:
    row = ROWS[row_name]
    return read_answer(row.form, [category.answer for category in row.asked(direction)], text)


@pytest.mark.parametrize(
    ("row", "text", "answer"),
    [
        ("qwen3guard-0.6b", " Safe\nCategories: None", Answer("Safe")),
        ("qwen3guard-0.6b", " Safe\nCategories: Violent", Answer("Safe")),
        ("qwen3guard-0.6b", "Unsafe\nCategories: Violent", Answer("Unsafe", ("Violent",))),
        (
            "qwen3guard-4b",
            "Controversial\nCategories: Non-violent Illegal Acts, PII, pii.",
            Answer("Controversial", ("Non-violent Illegal Acts", "PII")),
        ),
        (
            "qwen3guard-8b",
            "unsafe \n\n categories: Suicide & Self-Harm \nRefusal: Yes\nanything more",
            Answer("Unsafe", ("Suicide & Self-Harm",), notes=(("Refusal", "Yes"),)),
        ),
        ("qwen3guard-0.6b", "Unsafe\nCategories: Witchcraft, Violent", Answer("Unsafe", ("Violent",), others=True)),
        ("qwen3guard-0.6b", "Unsafe\nCategories: None", Answer("Unsafe", others=True)),
        ("qwen3guard-0.6b", "Unsafe", Answer("Unsafe", others=True)),
        ("qwen3guard-0.6b", "Unsafe\nCategories: Viol", Answer("Unsafe", others=True)),
        ("qwen3guard-0.6b", "Unsafe\nCategories: Violent\nRefusal: Perhaps", Answer("Unsafe", ("Violent",))),
        ("llama-guard-3-8b", "safe", Answer("safe")),
        ("llama-guard-3-8b", "\n\nunsafe\nS1", Answer("unsafe", ("S1",))),
        ("llama-guard-3-8b", "unsafe\nS10,S1, s14", Answer("unsafe", ("S10", "S1", "S14"))),
        ("llama-guard-3-1b", "unsafe\nS14", Answer("unsafe", others=True)),
        ("llama-guard-3-8b", "unsafe\nS99", Answer("unsafe", others=True)),
        ("shieldgemma-2b", "Yes", Answer("Yes")),
        ("shieldgemma-2b", "No\n\n**Reasoning**", Answer("No")),
        (
            "granite-guardian-3.2-5b",
            "Yes\n<confidence> High </confidence>",
            Answer("Yes", notes=(("confidence", "High"),)),
        ),
        ("granite-guardian-3.1-2b", "No", Answer("No")),
    ],
)
def test_answers_in_their_form(row: str, text: str, answer: Answer) -> None:
    assert read(row, text) == answer


def test_what_is_only_asked_of_input_is_no_category_of_an_answer() -> None:
    assert read("qwen3guard-0.6b", "Unsafe\nCategories: Jailbreak").named == ("Jailbreak",)
    assert read("qwen3guard-0.6b", "Unsafe\nCategories: Jailbreak", Direction.OUTPUT) == Answer("Unsafe", others=True)


@pytest.mark.parametrize("row", ["qwen3guard-0.6b", "llama-guard-3-8b", "shieldgemma-2b", "granite-guardian-3.2-5b"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n ",
        "Certainly! The text is safe.",
        "Safe and sound",
        "Safe Unsafe",
        "Safely",
        "not safe",
        "S1",
        "Categories: None",
        "<think>\nSafe",
        "Safety: Safe",
        "Yes, because",
        "Nope",
        "true",
        "0",
        "\ufffd\ufffd",
        "Ｓａｆｅ",
    ],
)
def test_any_other_form_is_no_answer(row: str, text: str) -> None:
    with pytest.raises(DetectorUnavailable, match="own form"):
        read(row, text)


def logs(**shares: float) -> list[tuple[str, float]]:
    return [(token.replace("_", " "), math.log(share)) for token, share in shares.items()]


@pytest.mark.parametrize(
    ("row", "first", "level", "severity", "whole"),
    [
        (LLAMA, logs(unsafe=0.7, safe=0.3), "unsafe", 0.7, True),
        (LLAMA, logs(safe=0.6, unsafe=0.2, The=0.2), "safe", 0.25, True),
        (LLAMA, logs(un=0.9, safe=0.1), "unsafe", 0.9, False),
        (SHIELD, logs(No=0.45, Yes=0.35, yes=0.1, _Yes=0.1), "Yes", 0.55, True),
        (GRANITE, logs(Yes=0.8, No=0.2), "Yes", 0.8, True),
        (QWEN, logs(_Safe=0.98, _Unsafe=0.02), "Safe", 0.02, True),
        (QWEN, logs(_Con=0.8, _Unsafe=0.1, _Safe=0.1), "Controversial", 0.58, False),
        (QWEN, logs(_Unsafe=0.5, _Controversial=0.5), "Unsafe", 0.8, True),
        (QWEN, [(" Unsafe", 0.0)], "Unsafe", 1.0, True),
        (QWEN, [(" Safe", 0.0001), (" Unsafe", -800.0)], "Safe", 0.0, True),
    ],
)
def test_what_the_first_token_says(
    row: object, first: list[tuple[str, float]], level: str, severity: float, whole: bool
) -> None:
    leaning = read_first_token(row.form, first)  # type: ignore[attr-defined]
    assert (leaning.level, leaning.whole) == (level, whole)
    assert leaning.severity == pytest.approx(severity, abs=1e-4)


@pytest.mark.parametrize(
    ("first", "sentence"),
    [
        ([], "own form"),
        ([("The", -0.1), (" Safe", -3.0)], "own form"),
        ([("", -0.1), (" Safe", -3.0)], "own form"),
        ([("<|im_end|>", -0.1)], "own form"),
        ([(" Safety", -0.1)], "own form"),
        ([(" Safe", -1e9)], "own form"),
        ([(" Safe", math.nan)], "no probabilities"),
        ([(" Safe", -0.1), (" Unsafe", math.nan)], "no probabilities"),
        ([(" Safe", math.inf)], "no probabilities"),
        ([(" Safe", -math.inf)], "no probabilities"),
        ([(" Safe", 3.0)], "no probabilities"),
    ],
)
def test_a_first_token_that_says_nothing(first: list[tuple[str, float]], sentence: str) -> None:
    with pytest.raises(DetectorUnavailable, match=sentence):
        read_first_token(QWEN.form, first)
