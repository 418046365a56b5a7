"""Words that only one answer has."""

from __future__ import annotations

import pytest

from playground.ui.arena.difference import count_words, find_differences


def own(text: str, *others: str) -> list[str]:
    return [part.text for part in find_differences([text, *others])[0].stretches if part.own]


@pytest.mark.parametrize(
    ("answers", "marked"),
    [
        (("The capital is Paris.", "The capital is Rome."), ["Paris"]),
        (("the CAPITAL", "The capital"), []),
        (("a very big dog", "a dog"), ["very big"]),
        (("Thủ đô là Hà Nội", "Thủ đô là Huế"), ["Hà Nội"]),
        (("one two", "two three", "one three"), []),
        (("", "x"), []),
        (("don't stop", "do stop"), ["don't"]),
        (("**bold** text", "text"), ["bold"]),
    ],
)
def test_only_words_of_no_other_answer_are_marked(answers: tuple[str, ...], marked: list[str]) -> None:
    assert own(*answers) == marked


@pytest.mark.parametrize("text", ["a  b\n\n```x```\n", "🙂 ok", "…", " lead", "Đây là… tiếng Việt!"])
def test_nothing_is_lost(text: str) -> None:
    assert "".join(part.text for part in find_differences([text, "other"])[0].stretches) == text


def test_words_are_counted_once_and_as_people_do() -> None:
    assert find_differences(["x x y", "y"])[0].own_words == 1
    assert count_words("Two  words\n") == 2


@pytest.mark.extended
def test_a_long_answer_takes_linear_work() -> None:
    text = " ".join(f"w{at}" for at in range(200_000))
    assert find_differences([text, text + " more"])[1].own_words == 1
