"""Whatever happens to a detector or a policy, nothing passes in silence: on the way in, on the way out, mid-stream."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from playground.domain import Action, Direction, Verdict
from playground.errors import DetectorUnavailable, PolicyError
from playground.moderation.moderator import PolicyModerator, equip
from playground.moderation.policy import load_policy
from playground.moderation.registry import DETECTORS
from playground.moderation.time_limit import TimeLimited
from tests.moderation.detectors import FAULTS, FaultyDetector

TEXT = "An entirely harmless sentence, as they come. "
NAMES = (*DETECTORS, "faulty")


def moderator(tmp_path: Path, detector: FaultyDetector, unavailable: str = "block") -> PolicyModerator:
    path = tmp_path / "own.toml"
    path.write_text(
        f'extends = "standard"\nunavailable = "{unavailable}"\ntime_limit = 0.2\n'
        '[detectors]\ninput = ["words", "faulty"]\noutput = ["words", "faulty"]\n',
        encoding="utf-8",
    )
    return equip(load_policy(path, NAMES), {**DETECTORS, "faulty": lambda: detector})


def assert_said_why(verdict: Verdict | None, direction: Direction) -> None:
    assert verdict is not None
    assert verdict.action is Action.BLOCK
    assert verdict.unavailable
    assert verdict.degraded == ("faulty",)
    assert verdict.rulings == ()
    assert verdict.direction is direction


@pytest.mark.parametrize("fault", FAULTS)
def test_input_is_stopped_and_said_to_be_unchecked(
    fault: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    detector = FaultyDetector(fault)
    with caplog.at_level(logging.WARNING):
        screened = moderator(tmp_path, detector).check_input(TEXT)
    detector.released.set()
    assert screened.text == ""
    assert_said_why(screened.verdict, Direction.INPUT)
    assert "faulty" in caplog.text
    assert "harmless" not in caplog.text


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_output_is_not_shown(fault: str, piece: int, tmp_path: Path) -> None:
    detector = FaultyDetector(fault)
    guard = moderator(tmp_path, detector).guard()
    text = TEXT * 3
    out = "".join(guard.feed(text[at : at + piece]).text for at in range(0, len(text), piece)) + guard.finish().text
    detector.released.set()
    assert out == ""
    assert_said_why(guard.verdicts[-1], Direction.OUTPUT)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failure_in_the_middle_ends_the_stream_there(fault: str, tmp_path: Path) -> None:
    detector = FaultyDetector(fault, late=True)
    guard = moderator(tmp_path, detector).guard()
    first = guard.feed(TEXT)
    second = guard.feed(TEXT * 2)
    detector.released.set()
    assert first.text
    assert TEXT.startswith(first.text)
    assert second.text == ""
    assert_said_why(second.verdict, Direction.OUTPUT)
    assert guard.feed(TEXT).text == guard.finish().text == ""


@pytest.mark.parametrize("fault", FAULTS)
def test_degraded_shows_the_text_and_names_what_did_not_run(fault: str, tmp_path: Path) -> None:
    detector = FaultyDetector(fault)
    gate = moderator(tmp_path, detector, "degrade")
    screened = gate.check_input(TEXT)
    assert screened.text == TEXT
    assert screened.verdict is not None
    assert screened.verdict.degraded == ("faulty",)
    guard = gate.guard()
    out = guard.feed(TEXT * 3).text + guard.finish().text
    detector.released.set()
    assert out == TEXT * 3
    assert guard.verdicts[0].degraded == ("faulty",)
    still = gate.check_input("You motherfucking cunt, kill yourself")
    assert still.verdict is not None
    assert still.verdict.rulings


def test_a_detector_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('extends = "standard"\n[detectors]\ninput = ["faulty"]\noutput = ["faulty"]\n', encoding="utf-8")

    def factory() -> FaultyDetector:
        raise DetectorUnavailable("the model file is truncated")

    gate = equip(load_policy(path, NAMES), {**DETECTORS, "faulty": factory})
    assert_said_why(gate.check_input(TEXT).verdict, Direction.INPUT)
    guard = gate.guard()
    assert guard.feed(TEXT * 3).text + guard.finish().text == ""
    assert_said_why(guard.verdicts[-1], Direction.OUTPUT)


@pytest.mark.parametrize("limit", ['"long"', "0", "-1", "601", "true"])
def test_a_bad_time_limit_is_refused(limit: str, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(f'extends = "standard"\ntime_limit = {limit}\n', encoding="utf-8")
    with pytest.raises(PolicyError, match=r"own.toml: time_limit is .*above 0, up to 600"):
        load_policy(path, NAMES)


@pytest.mark.parametrize("content", ["", "unit = [", 'extends = "standard"\n[output]\ntoxicity = "blok"\n', "\x00"])
def test_a_broken_policy_file_stops_the_start(content: str, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(PolicyError, match=r"own\.toml"):
        load_policy(path, NAMES)


def test_a_detector_that_hangs_is_not_called_for_ever_and_recovers() -> None:
    detector = FaultyDetector("hangs")
    limited = TimeLimited(detector, 0.01)
    before = threading.active_count()
    for _ in range(20):
        with pytest.raises(DetectorUnavailable, match=r"did not answer within 0.01|still busy"):
            limited.scan(TEXT)
    assert threading.active_count() - before <= 4
    with pytest.raises(DetectorUnavailable, match="still busy"):
        limited.unsettled(TEXT)
    detector.released.set()
    for call in list(limited._late):
        assert call.wait(10)
    assert limited.unsettled(TEXT) == 0
    assert limited.name == "faulty"
    assert limited.version == "1"


def test_many_threads_share_a_limited_detector() -> None:
    limited = TimeLimited(FaultyDetector("nan"), 20)
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(len(limited.scan(TEXT)))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == [1] * 16


def test_an_own_policy_may_extend_one_that_extends_another(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('extends = "strict"\nunit = "answer"\n', encoding="utf-8")
    own, strict = load_policy(path, NAMES), load_policy("strict", NAMES)
    assert (own.unit, own.rules, own.detectors) == ("answer", strict.rules, strict.detectors)
