"""A tree of messages and the branch on display."""

from __future__ import annotations

import pytest

from playground.chat.thread import branch, newest_leaf, versions

#   q1 - a1 - q2 - a2
#      \ a1b   \ q2b - a2b
#   q0 (an edit of the first question)
TREE = {"q1": None, "a1": "q1", "q2": "a1", "a2": "q2", "a1b": "q1", "q2b": "a1", "a2b": "q2b", "q0": None}


@pytest.mark.parametrize(
    ("leaf", "path"),
    [("a2", ["q1", "a1", "q2", "a2"]), ("a1b", ["q1", "a1b"]), ("q0", ["q0"]), (None, []), ("gone", [])],
)
def test_branch(leaf: str | None, path: list[str]) -> None:
    assert branch(TREE, leaf) == path


def test_versions_are_the_siblings_oldest_first() -> None:
    assert versions(TREE, ["q1", "a1", "q2b", "a2b"]) == {
        "q1": ("q1", "q0"),
        "a1": ("a1", "a1b"),
        "q2b": ("q2", "q2b"),
        "a2b": ("a2b",),
    }


@pytest.mark.parametrize(
    ("message", "leaf"), [("q1", "a2b"), ("a1", "a2b"), ("q2", "a2"), ("a1b", "a1b"), ("q0", "q0")]
)
def test_newest_leaf(message: str, leaf: str) -> None:
    assert newest_leaf(TREE, message) == leaf


def test_a_very_long_branch_is_no_problem() -> None:
    parents: dict[str, str | None] = {"0": None} | {str(number): str(number - 1) for number in range(1, 20_000)}
    assert len(branch(parents, "19999")) == 20_000
    assert newest_leaf(parents, "0") == "19999"
