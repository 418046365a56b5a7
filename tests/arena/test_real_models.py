"""The arena as services build it, on the models that ship."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.arena.contract import Mode, Schedule, SideRequest
from playground.config import Settings
from playground.domain import Finished, SamplingParams
from playground.errors import InvalidRequest
from playground.services import Services, build
from tests.arena.conftest import settled

SHORT = SamplingParams(temperature=0.0, max_tokens=40)


@pytest.fixture(scope="module", params=[2, 1])
def services(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """With places for two models, and for one."""
    settings = Settings(data_dir=Path(tmp_path_factory.mktemp("data")), max_models=request.param, engine_threads=1)
    built = build(settings)
    yield built
    built.close()


def test_four_sides_at_once_with_as_many_places_as_there_are(services: Services) -> None:
    sides = [SideRequest(name, SHORT) for name in ("pip", "pip-fp32", "echo", "pip")]
    comparison = services.arena.start("anna", Mode.NAMED, sides, "en")
    services.arena.ask("anna", comparison.id, "What is a token?")
    view = settled(services.arena, comparison)
    assert all(isinstance(side.end, Finished) for side in view.sides)
    answers = [side.messages[-1].content for side in view.sides]
    assert answers[0] == answers[3]
    assert answers[2] == "What is a token?"
    assert all(side.tokens > 3 for side in view.sides)
    # Echo computes nothing and counts as a model all the same: it takes a place of the pool.
    assert comparison.schedule is Schedule.IN_TURN


def test_a_blind_battle_between_the_models_that_ship(services: Services) -> None:
    battle = services.arena.start("anna", Mode.BLIND, [], "vi")
    assert (battle.schedule is Schedule.TOGETHER) == (services.settings.max_models == 2)
    services.arena.ask("anna", battle.id, "Bạn là ai?")
    view = settled(services.arena, battle)
    assert view.may_vote
    assert not [name for name in ("pip", "fable") if name in repr(view).lower()]
    with pytest.raises(InvalidRequest, match="Vote first"):
        services.arena.surprise("anna", battle.id, "vi")
    told = services.arena.vote("anna", battle.id, "tie")
    drawn = {side.model_id for side in told.sides}
    assert len(drawn) == 2
    assert drawn <= {"pip", "fable", "pip-int4", "pip-fp32"}
    (row,) = [row for row in services.arena.standings.rows() if row["mode"] == "blind"]
    for letter in "ab":
        path = services.catalog.get(row[f"model_{letter}"]).path
        assert path is not None
        sums = (path.parent / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
        own = "\n".join(line for line in sums if f" {path.name}/" in line)
        assert row[f"revision_{letter}"] == hashlib.sha256(own.encode()).hexdigest()[:40]
        assert (row[f"precision_{letter}"], row[f"engine_{letter}"]) == (path.name, "onnx")
    assert (row["language"], row["schedule"]) == ("vi", battle.schedule)


def test_models_read_each_other_s_answers(services: Services) -> None:
    sides = [SideRequest("pip", SHORT), SideRequest("pip-fp32", SHORT)]
    comparison = services.arena.start("anna", Mode.NAMED, sides, "en")
    with pytest.raises(InvalidRequest, match="need an answer"):
        services.arena.surprise("anna", comparison.id, "en")
    services.arena.ask("anna", comparison.id, "What is a token?")
    view = settled(services.arena, comparison)
    read = services.arena.surprise("anna", comparison.id, "en")
    for side, row in zip(view.sides, read.readings, strict=True):
        assert [reading.model_id for reading in row] == ["pip", "pip-fp32"]
        for reading in row:
            assert "".join(token.text for token in reading.tokens) == side.messages[-1].content
            bits = [-math.log2(token.probability) for token in reading.tokens if token.probability]
            assert reading.bits_per_token == pytest.approx(sum(bits) / len(bits))
            assert reading.bits_per_character == pytest.approx(sum(bits) / len(side.messages[-1].content))
            assert 0.5 < (reading.tokens_per_word or 0) < 5
        own = row[side.position]
        assert own.parting is None  # greedy: every token was its likeliest one
        assert (own.bits_per_token or 0) < 1.5
    assert read.tokens_per_word[0] == read.tokens_per_word[1]
    assert {*read.tokens_per_word[0]} == {"en", "vi"}
    services.arena.change_side("anna", comparison.id, 1, SideRequest("echo"))
    services.arena.retry("anna", comparison.id, 1)
    settled(services.arena, comparison)
    again = services.arena.surprise("anna", comparison.id, "en")
    for row in again.readings:
        assert row[0].trouble is None
        assert row[1].trouble is not None
        assert row[1].trouble.code == "no_probabilities"
    assert again.tokens_per_word[1] == {}
