"""All sides of a blind battle are shown equally far, whoever is faster."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from playground.arena.pace import advance, caught_up, common_pace


def test_the_slowest_that_still_writes_sets_the_pace() -> None:
    assert common_pace([500, 20], [False, False]) == 20
    assert common_pace([500, 20], [True, False]) == 20
    assert common_pace([500, 20], [False, True]) == 500
    assert common_pace([500, 20], [True, True]) == 500
    assert common_pace([], []) == 0


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.floats(0, 0.2)), max_size=40), st.integers(0, 40))
def test_nobody_is_shown_further_than_the_slowest_and_nothing_is_taken_back(
    steps: list[tuple[int, int, float]], ends: int
) -> None:
    lengths, shown = [0, 0], 0.0
    for number, (left, right, seconds) in enumerate(steps):
        lengths = [lengths[0] + (left if number < ends else 0), lengths[1] + right]
        ended = [number >= ends, False]
        before, shown = shown, advance(shown, common_pace(lengths, ended), seconds, 100)
        assert before <= shown <= max(before, lengths[1])
        assert shown - before <= 100 * seconds + 1e-9
        assert not caught_up(shown, lengths, ended)
    total = advance(shown, common_pace(lengths, [True, True]), 1e9, 100)
    assert total == max(lengths)
    assert caught_up(total, lengths, [True, True])
