"""Which models meet: no model that cannot give a vote keeps the others waiting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from playground.arena.battles import Ring
from playground.arena.sampler import FLOOR, draw_pair, pair_weights
from playground.arena.votes import build_votes
from playground.catalog.catalog import Catalog
from playground.errors import InvalidRequest
from tests.arena.conftest import Room
from tests.catalogue import write_models

NAMES = ("alba", "bora", "cora", "dora", "mute")


@pytest.fixture
def ring_of(tmp_path: Path) -> Callable[..., Ring]:
    """A ring of these models, of which one may be refused by memory."""

    def build(*names: str, refused: str = "") -> Ring:
        rows = {name: {"path": str(tmp_path)} for name in names}
        catalog = Catalog.load([write_models(tmp_path / "models.toml", rows, engine="onnx")])
        return Ring(catalog, lambda spec: spec.id in names, Room(refused=refused))

    return build


def battled(ring: Ring, count: int, silent: str) -> tuple[list[tuple[str, str]], Counter[str]]:
    """The pairs of so many battles, and how many votes each model got: none where `silent` took part."""
    columns: tuple[list[str], list[str], list[str]] = ([], [], [])
    pairs, fruitless, random = [], Counter[str](), np.random.default_rng(8)
    for at in range(count):
        pair = ring.draw(build_votes(*columns) if columns[0] else None, fruitless, seed=at)
        pairs.append(pair)
        if silent in pair:
            fruitless.update(pair)
            continue
        winner = "model_a" if random.random() < 0.5 else "model_b"
        for column, value in zip(columns, (*pair, winner), strict=True):
            column.append(value)
    return pairs, Counter([*columns[0], *columns[1]])


def test_a_model_whose_battles_give_no_vote_is_drawn_ever_less(ring_of: Callable[..., Ring]) -> None:
    pairs, votes = battled(ring_of(*NAMES), 150, "mute")
    share = [sum("mute" in pair for pair in part) / len(part) for part in (pairs[:15], pairs[50:])]
    assert share[0] > 0.2
    assert 0 < share[1] < 0.15  # two models of five would be 0.4; the even share alone is 0.04
    assert all(votes[name] > 3 * FLOOR for name in NAMES[:-1])


def test_a_model_that_memory_refuses_is_not_drawn(ring_of: Callable[..., Ring]) -> None:
    ring = ring_of(*NAMES, refused="mute")
    assert [spec.id for spec in ring.models()] == list(NAMES[:-1])
    assert "mute" not in {name for seed in range(60) for name in ring.draw(None, {}, seed)}
    with pytest.raises(InvalidRequest, match="fit into its memory"):
        ring_of("alba", "mute", refused="mute").draw(None, {})


def test_every_pair_keeps_a_chance_while_one_model_is_new() -> None:
    old = build_votes(["alba", "bora", "cora"] * 5, ["bora", "cora", "alba"] * 5, ["model_a"] * 15)
    weights = pair_weights([*NAMES[:3], "mute"], old, {})
    apart = ~np.eye(4, dtype=bool)
    assert weights[apart].min() == pytest.approx(0.1 / 12)
    assert weights[3, :3].sum() * 2 == pytest.approx(0.9 + 0.1 / 2)


def test_without_a_single_vote_there_is_still_a_pair() -> None:
    none = build_votes([], [], [])
    tried = dict.fromkeys(NAMES, 2 * FLOOR)
    weights = pair_weights(list(NAMES), none, tried)
    assert weights[~np.eye(len(NAMES), dtype=bool)].min() > 0
    assert len({*draw_pair(list(NAMES), none, tried, np.random.default_rng(1))}) == 2


def test_a_model_that_stopped_answering_loses_its_place() -> None:
    """It has few votes, so one more would teach most; but none came of the last battles."""
    columns = (["alba", "bora", "cora"] * 20, ["bora", "cora", "alba"] * 20, ["model_a", "model_b"] * 30)
    few = (["mute"] * FLOOR, ["alba"] * FLOOR, ["model_a"] * FLOOR)
    votes = build_votes(*(one + more for one, more in zip(columns, few, strict=True)))
    names = [*NAMES[:3], "mute"]
    before, after = (pair_weights(names, votes, {"mute": lost})[3].sum() * 2 for lost in (0, 40))
    assert before > 0.5
    assert after < 0.5 * before
