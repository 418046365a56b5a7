"""How deep to dig: a few examples that are the same every time in each run, many new ones in `make test-extended`."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

QUICK, LONG = 40, 3000

depths = pytest.mark.parametrize(
    "examples",
    [
        pytest.param(QUICK, id="quick"),
        pytest.param(LONG, id="long", marks=[pytest.mark.extended, pytest.mark.timeout(1200)]),
    ],
)
"""For tests that hunt: the number of examples."""


def hunt(examples: int, check: Callable[..., None], *strategies: st.SearchStrategy[Any]) -> None:
    """Try `check` on that many examples; a failing one is made as small as possible and shown."""
    profile = settings(
        max_examples=examples,
        derandomize=examples <= QUICK,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    profile(given(*strategies)(check))()


def pieces(content: Any, cuts: list[int]) -> list[Any]:
    """`content` cut after so many items each time; what is left is the last piece."""
    parts, start = [], 0
    for size in cuts:
        parts.append(content[start : start + size])
        start += size
    return [*parts, content[start:]]


def damaged(content: bytes | str, seed: int) -> Any:
    """A file with a few places cut out, doubled, swapped or replaced; the same for the same seed."""
    chance = random.Random(seed)
    for _ in range(chance.randint(1, 4)):
        start = chance.randint(0, len(content))
        end = min(len(content), start + chance.choice((1, 2, 8, 60)))
        middle = content[start:end]
        match chance.randint(0, 3):
            case 0:
                middle = content[:0]
            case 1:
                middle = middle * chance.randint(2, 50)
            case 2:
                other = chance.randint(0, len(content))
                middle = content[other : other + len(middle)]
            case _:
                piece = chance.choice(
                    ("\x00", "]]", "[[", "{", '"', "=", "-1", "1e999", "\ud800", "99999999999999999999")
                )
                middle = piece if isinstance(content, str) else piece.encode("utf-8", "surrogatepass")
        content = content[:start] + middle + content[end:]
    return content


cuts = st.lists(st.integers(0, 9), max_size=40)
seeds = st.integers(0, 2**32)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
