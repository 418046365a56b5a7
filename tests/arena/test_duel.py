"""Batches: model by model, going on where they were, and graded blind into the same leaderboard."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from playground.arena.duel import Outcome, Progress
from playground.errors import InvalidRequest, UnknownModel
from tests.arena.conftest import MODELS, Hall
from tests.arena.test_service import Broken
from tests.chat.conftest import OUTPUT_ONLY, Saying

QUESTIONS = ("What is a token?", "Thủ đô của Peru là gì?", "Tell me a story.")


def test_each_model_answers_everything_before_the_next_begins(hall: Hall) -> None:
    told: list[Progress] = []
    outcome = hall.arena.duel(QUESTIONS, MODELS[:3]).run(told.append)
    assert outcome == Outcome(answered=9, blocked=0, failed=0, pairs=9)
    assert hall.engines.order == [name for name in MODELS[:3] for _ in QUESTIONS]
    assert (told[-1].done, told[-1].total) == (9, 9)
    assert hall.arena.duel(QUESTIONS, MODELS[:3]).run(told.append) == outcome  # again: nothing is asked twice
    assert len(hall.engines.order) == 9


def test_a_batch_that_was_cut_goes_on(build_hall: Callable[..., Hall]) -> None:
    class Stop(Exception):
        """The power fails."""

    hall = build_hall()

    def fail_late(progress: Progress) -> None:
        if progress.done == 4:
            raise Stop

    with pytest.raises(Stop):
        hall.arena.duel(QUESTIONS, MODELS[:2]).run(fail_late)
    asked = len(hall.engines.order)
    later = build_hall()
    outcome = later.arena.duel(QUESTIONS, MODELS[:2]).run(lambda _: None)
    assert outcome == Outcome(answered=6, blocked=0, failed=0, pairs=3)
    assert asked + len(later.engines.order) <= 7


def test_what_is_blocked_or_fails_makes_no_pair(build_hall: Callable[..., Hall]) -> None:
    engines = {MODELS[0]: Saying(says="You fucking cunt. Oh."), MODELS[1]: Broken()}
    hall = build_hall(engines, policy=OUTPUT_ONLY)
    outcome = hall.arena.duel(QUESTIONS[:1], MODELS).run(lambda _: None)
    assert outcome == Outcome(answered=2, blocked=1, failed=1, pairs=1)
    hall.engines.engines[MODELS[1]] = Saying()
    assert hall.arena.duel(QUESTIONS[:1], MODELS).run(lambda _: None) == Outcome(3, 1, 0, 3)
    standard = build_hall()
    assert standard.arena.duel(["You fucking cunt, I will kill you"], MODELS).run(lambda _: None).blocked == 4
    with pytest.raises(UnknownModel):
        hall.arena.duel(QUESTIONS, [MODELS[0], "nobody"])
    with pytest.raises(InvalidRequest, match="two different models"):
        hall.arena.duel(QUESTIONS, [MODELS[0]])
