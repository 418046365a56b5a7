"""What is held back is measured for every unit a policy may name, and the larger the unit the more is held."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from playground.moderation.holding import HoldMeter
from playground.moderation.leaks import ARRIVAL, StreamTrial
from playground.moderation.moderator import build_moderator
from playground.moderation.segmentation import UNITS
from tests.moderation.streams import in_pieces, stream

TEXT = "One clause that is long enough, and then another one, to be sure. A second sentence, with as many words.\n" * 3
WHOLE = (TEXT + "\n") * 3


def test_nothing_is_known_before_the_first_release() -> None:
    assert HoldMeter().held() is None


def test_medians_and_high_values_of_the_last_thousand_releases() -> None:
    meter = HoldMeter()
    meter.note(7, 0.5)
    only = meter.held()
    assert only is not None
    assert (only.releases, only.characters, only.characters_p95, only.milliseconds_p95) == (1, 7, 7, 500)
    for number in range(1, 1001):
        meter.note(number, number / 1000)
    held = meter.held()
    assert held is not None
    assert (held.releases, held.characters, held.milliseconds) == (1000, 500.5, pytest.approx(500.5))
    assert held.characters_p95 == pytest.approx(950.05)


def test_threads_may_measure_at_the_same_time() -> None:
    meter = HoldMeter()
    threads = [
        threading.Thread(target=lambda: [meter.note(1, 0.1) and meter.held() for _ in range(200)]) for _ in "1234"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = meter.held()
    assert held is not None
    assert held.releases == 800


def test_a_larger_unit_holds_more_back(tmp_path: Path) -> None:
    medians = {}
    for unit in UNITS:
        path = tmp_path / f"{unit}.toml"
        path.write_text(f'extends = "standard"\nunit = "{unit}"\n', encoding="utf-8")
        gate = build_moderator(path)
        assert stream(gate.guard(), in_pieces(WHOLE, 4)).text == WHOLE
        live = gate.meter.held()
        trial = StreamTrial(gate.policy, gate.detectors, 4)
        trial.add(WHOLE, [])
        report = trial.report()
        assert live is not None
        assert live.milliseconds > 0
        assert report["unit"] == unit
        characters, waited = report["held_characters"], report["held_ms"]
        assert isinstance(characters, dict)
        assert isinstance(waited, dict)
        assert live.characters == pytest.approx(characters["p50"], abs=8)
        assert waited["p50"] >= characters["p50"] / ARRIVAL * 1000
        medians[unit] = live.characters
    assert medians["clause"] < medians["sentence"] < medians["line"] < medians["paragraph"] < medians["answer"]
    assert medians["answer"] == len(WHOLE)
