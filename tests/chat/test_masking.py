"""What was only possible is screened together with all that the gate would see of the answer before it."""

from __future__ import annotations

import pytest

from playground.chat.masking import Mask
from playground.domain import Direction, Finding
from playground.moderation.contract import Scope
from playground.moderation.guard import StreamGuard
from playground.moderation.policy import load_policy


class Pair:
    """Finds "alpha" and "omega" where one text has both, however far apart."""

    name = "pair"
    version = "1"
    reach = 0
    scope: Scope = "unit"

    def __init__(self) -> None:
        self.seen: list[str] = []

    def scan(self, text: str) -> list[Finding]:
        self.seen.append(text)
        both = "alpha" in text and "omega" in text
        return [Finding("profanity", 1.0, (0, len(text)), self.name, self.version)] if both else []

    def unsettled(self, text: str) -> int:
        return 0


@pytest.fixture
def pair() -> Pair:
    return Pair()


@pytest.fixture
def mask(pair: Pair, isolated: object, tmp_path_factory: pytest.TempPathFactory) -> Mask:
    file = tmp_path_factory.mktemp("policy") / "policy.toml"
    file.write_text(
        'extends = "standard"\n[detectors]\ninput = []\noutput = ["pair"]\n'
        '[output]\nprofanity = { action = "block", threshold = 0.5 }\n',
        encoding="utf-8",
    )
    policy = load_policy(file, ("pair",))
    return Mask(lambda: StreamGuard(policy, [pair], Direction.OUTPUT))


def test_a_unit_is_seen_from_its_beginning(mask: Mask) -> None:
    assert not mask.clears("alpha " + "and so on " * 100, "omega")
    assert mask.clears("beta " + "and so on " * 100, "omega")


def test_units_that_are_complete_are_not_read_again_for_ever(mask: Mask, pair: Pair) -> None:
    assert mask.clears("Here is alpha, " + "and this is a clause of its own, " * 100, "omega")
    assert max(map(len, pair.seen)) < 100
    assert sum(map(len, pair.seen)) < 600


def test_without_detectors_all_is_clear() -> None:
    policy = load_policy("off", ())
    assert Mask(lambda: StreamGuard(policy, [], Direction.OUTPUT)).clears("alpha " * 100, "omega")


def test_once_its_time_is_spent_nothing_is_clear(mask: Mask, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mask.clears("alpha", " and more")
    assert not mask.spent
    monkeypatch.setattr(mask, "_seconds", 0.0)
    assert mask.spent
    assert not mask.clears("alpha", " and more")
