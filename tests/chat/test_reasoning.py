"""Thinking and answer are parted however the stream is cut."""

from __future__ import annotations

import pytest

from playground.chat.reasoning import ReasoningSplitter
from playground.domain import ReasoningDelta, TextDelta

TAGS = ("<think>", "</think>")


def split(text: str, size: int, tags: tuple[str, str] | None = TAGS) -> tuple[str, str]:
    """(reasoning, answer) of a text fed `size` characters at a time."""
    splitter = ReasoningSplitter(tags)
    parts = [part for start in range(0, len(text), size) for part in splitter.feed(text[start : start + size])]
    parts += splitter.finish()
    assert splitter.read == len(text)
    assert all(text[part.start :].startswith(part.text) for part in parts)
    assert all(part.text for part in parts)
    return (
        "".join(part.text for part in parts if part.kind is ReasoningDelta),
        "".join(part.text for part in parts if part.kind is TextDelta),
    )


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 1000])
@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("<think>\nNorway…\n</think>\n\nOslo.", "Norway…\n", "Oslo."),
        ("Oslo.", "", "Oslo."),
        ("<think></think>Oslo.", "", "Oslo."),
        ("<think>never closed", "never closed", ""),
        ("a < b and <thin ice>", "", "a < b and <thin ice>"),
        ("<think>a</thin</think>b", "a</thin", "b"),
        ("one <think>x</think> two <think>y</think> three", "xy", "one two three"),
        ("ends in <thi", "", "ends in <thi"),
        ("", "", ""),
    ],
)
def test_every_cut_gives_the_same(text: str, reasoning: str, answer: str, size: int) -> None:
    assert split(text, size) == (reasoning, answer)


def test_without_tags_everything_is_answer_at_once() -> None:
    splitter = ReasoningSplitter(None)
    assert splitter.feed("<think>x") == [(TextDelta, "<think>x", 0)]
    assert splitter.finish() == []


def test_text_that_cannot_become_a_tag_is_not_held_back() -> None:
    assert ReasoningSplitter(TAGS).feed("a <b") == [(TextDelta, "a <b", 0)]
    assert ReasoningSplitter(TAGS).feed("a <th") == [(TextDelta, "a ", 0)]


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    ("text", "thinking", "frame"),
    [
        ("<think>\nNorway…\n</think>\n\nOslo.", False, ("<think>\n", "</think>\n\n")),
        ("<think>\n\n</think>\n\nOslo.", False, ("<think>\n\n", "</think>\n\n")),
        ("\nNorway…\n</think>\n\nOslo.", True, ("\n", "</think>\n\n")),
        ("<think>never closed", False, ("<think>", "")),
        ("never closed", True, ("", "")),
        ("Oslo.", False, None),
        ("one <think>x</think> two", False, None),
        ("<think>x</think> two <think>y</think> three", False, None),
    ],
)
def test_what_stood_around_the_thoughts_is_kept(
    text: str, size: int, frame: tuple[str, str] | None, *, thinking: bool
) -> None:
    splitter = ReasoningSplitter(TAGS, thinking=thinking)
    parts = [part for start in range(0, len(text), size) for part in splitter.feed(text[start : start + size])]
    parts += splitter.finish()
    assert splitter.frame == frame
    if frame is not None:
        thoughts = "".join(part.text for part in parts if part.kind is ReasoningDelta)
        answer = "".join(part.text for part in parts if part.kind is TextDelta)
        assert frame[0] + thoughts + frame[1] + answer == text
