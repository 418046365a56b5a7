"""The detector reads a text to its end, loads once, and says so when it cannot run."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from playground.domain import Action, Direction, Finding
from playground.errors import DetectorUnavailable
from playground.moderation.contract import Detector
from playground.moderation.detoxify import detector as detector_module
from playground.moderation.detoxify.checkpoint import PINS
from playground.moderation.detoxify.detector import DetoxifyDetector
from playground.moderation.detoxify.export import GRAPH, MANIFEST
from playground.moderation.detoxify.variants import Variant
from playground.moderation.guard import StreamGuard
from playground.moderation.moderator import PolicyModerator
from playground.moderation.policy import load_policy
from playground.moderation.registry import DETECTORS
from tests.moderation.detoxify.models import ORIGINAL, alarm_network, save_checkpoint, write_model

FORMS = (True, False)


@pytest.fixture(scope="module")
def alarm(tmp_path_factory: pytest.TempPathFactory) -> tuple[Variant, Path]:
    """A model that answers 1 when it reads the letter z."""
    folder = tmp_path_factory.mktemp("alarm")
    return write_model(folder, "original", network=alarm_network("z")), folder


def toxicity(findings: list[Finding]) -> Finding:
    return next(finding for finding in findings if finding.category == "toxicity")


@pytest.mark.parametrize("fast", FORMS)
@pytest.mark.parametrize("before", [0, 1, 40, 94, 95, 200, 511, 700, 3000])
def test_a_token_is_found_wherever_it_stands(alarm: tuple[Variant, Path], fast: bool, before: int) -> None:
    detector: Detector = DetoxifyDetector(*alarm, fast=fast, overlap=16)
    text = "a " * before + "z" + " b" * 150
    assert len(text) > 96
    found = toxicity(detector.scan(text))
    assert found.score > 0.99
    start, end = found.span
    assert "z" in text[start:end]
    assert end - start <= 2 * 96
    assert found.explanation == "detoxify_windowed"


@pytest.mark.parametrize("fast", FORMS)
def test_text_without_it_passes_however_long(alarm: tuple[Variant, Path], fast: bool) -> None:
    detector = DetoxifyDetector(*alarm, fast=fast, overlap=16)
    for text in ("b", "hello you", "a b c " * 400, "bạn đi đâu đấy " * 90):
        assert toxicity(detector.scan(text)).score < 0.01
    assert toxicity(detector.scan("a z")).explanation == "detoxify"
    assert detector.scan("") == detector.scan(" \n\t ") == []


def test_the_fast_form_is_made_once_and_then_loaded_without_the_original(
    alarm: tuple[Variant, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = DetoxifyDetector(*alarm)
    scores = [finding.score for finding in first.scan("a z b")]
    monkeypatch.setattr(detector_module, "read_checkpoint", None)
    second = DetoxifyDetector(*alarm)
    assert [finding.score for finding in second.scan("a z b")] == scores
    assert second.version == first.version
    assert second.version.endswith("-int8")


def test_threads_share_one_model(alarm: tuple[Variant, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    loads = []
    read = DetoxifyDetector._read
    monkeypatch.setattr(DetoxifyDetector, "_read", lambda self: loads.append(1) or read(self))
    detector = DetoxifyDetector(*alarm)
    scores: list[float] = []
    texts = ["a z", "a b"] * 8
    threads = [threading.Thread(target=lambda t=t: scores.append(toxicity(detector.scan(t)).score)) for t in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(loads) == 1
    assert sorted(round(score) for score in scores) == [0] * 8 + [1] * 8


def test_the_sentence_that_says_it_is_the_span(alarm: tuple[Variant, Path]) -> None:
    text = "a fine day. you z you! what is it?\nbye"
    found = toxicity(DetoxifyDetector(*alarm).scan(text))
    assert text[slice(*found.span)] == "you z you! "
    harmless = toxicity(DetoxifyDetector(*alarm).scan("a fine day. you!"))
    assert harmless.span == (0, 16)


def test_a_sentence_is_held_until_it_is_whole(alarm: tuple[Variant, Path]) -> None:
    detector = DetoxifyDetector(*alarm)
    assert detector.name == "detoxify-original"
    assert detector.unsettled("all said. ") == 0
    assert detector.unsettled("all said. and then, no") == 12
    assert detector.unsettled("a" * 5000) == detector.reach


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_the_guard_lets_nothing_of_a_flagged_sentence_out(alarm: tuple[Variant, Path], step: int) -> None:
    policy = load_policy("standard", DETECTORS)
    guard = StreamGuard(policy, [DetoxifyDetector(*alarm)], Direction.OUTPUT)
    text = "this is a fine day, and we like it here. " * 3 + "you are, as i said, a z you. more"
    shown = ""
    for at in range(0, len(text), step):
        shown += guard.feed(text[at : at + step]).text
    shown += guard.finish().text
    assert shown == "this is a fine day, and we like it here. " * 3
    assert guard.verdicts[-1].action is Action.BLOCK
    assert guard.verdicts[-1].decisive is not None
    assert guard.verdicts[-1].decisive.finding.detector == "detoxify-original"


def test_an_earlier_message_is_not_held_against_a_newer_one(alarm: tuple[Variant, Path]) -> None:
    policy = load_policy("standard", DETECTORS)
    detectors = {name: DetoxifyDetector(*alarm) for way in Direction for name in policy.detectors[way]}
    moderator = PolicyModerator(policy, detectors)
    assert moderator.check_input("hello you", context=("a z b", "what is it")).verdict is None
    assert moderator.check_input("hello z", context=("a b",)).blocked


def copied(alarm: tuple[Variant, Path], folder: Path) -> tuple[Variant, Path]:
    variant, source = alarm
    for name in (variant.checkpoint, "config.json", "tokenizer.json"):
        (folder / name).write_bytes((source / name).read_bytes())
    return variant, folder


def test_a_missing_model_is_named_with_what_to_do(tmp_path: Path, alarm: tuple[Variant, Path]) -> None:
    with pytest.raises(DetectorUnavailable, match=r"python -m playground\.moderation\.detoxify original"):
        DetoxifyDetector(alarm[0], tmp_path).scan("hello")


def test_a_model_that_arrives_later_is_used(tmp_path: Path, alarm: tuple[Variant, Path]) -> None:
    detector = DetoxifyDetector(alarm[0], tmp_path)
    with pytest.raises(DetectorUnavailable):
        detector.scan("z")
    copied(alarm, tmp_path)
    assert toxicity(detector.scan("z")).score > 0.99


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def swap(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [truncate, swap, empty])
@pytest.mark.parametrize("pinned", [True, False])
def test_damage_is_never_a_pass(tmp_path: Path, alarm: tuple[Variant, Path], damage: Any, pinned: bool) -> None:
    variant, folder = copied(alarm, tmp_path)
    if pinned:
        DetoxifyDetector(variant, folder).scan("hello")
    else:
        known = DetoxifyDetector(variant, folder)
        known.scan("hello")
        pins = (folder / PINS).read_text().split('"')
        variant = replace(variant, sha256=pins[pins.index(variant.checkpoint) + 2])
        (folder / PINS).unlink()
    damage(folder / variant.checkpoint)
    detector = DetoxifyDetector(variant, folder)
    for _ in range(2):
        with pytest.raises(DetectorUnavailable, match="not the file expected"):
            detector.scan("z")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_a_swapped_configuration_is_refused_too(tmp_path: Path, alarm: tuple[Variant, Path], name: str) -> None:
    variant, folder = copied(alarm, tmp_path)
    DetoxifyDetector(variant, folder).scan("hello")
    (folder / name).write_text((folder / name).read_text() + " ")
    with pytest.raises(DetectorUnavailable, match=name):
        DetoxifyDetector(variant, folder).scan("hello")


def test_without_trust_on_first_use_an_unknown_file_is_refused(tmp_path: Path, alarm: tuple[Variant, Path]) -> None:
    variant, folder = copied(alarm, tmp_path)
    with pytest.raises(DetectorUnavailable, match="trust on first use is off"):
        DetoxifyDetector(variant, folder, trust_first_use=False).scan("hello")


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("fast", FORMS)
def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, alarm: tuple[Variant, Path], fast: bool) -> None:
    variant, folder = copied(alarm, tmp_path)
    weights = {**alarm_network("z").state_dict(), "bomb": Bomb(tmp_path / "exploded")}
    save_checkpoint(folder / variant.checkpoint, weights, {"model_name": variant.model_class}, ORIGINAL)
    with pytest.raises(DetectorUnavailable, match="nothing in it was run"):
        DetoxifyDetector(variant, folder, fast=fast).scan("hello")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("fast", FORMS)
def test_scores_that_are_no_numbers_are_no_scores(tmp_path: Path, alarm: tuple[Variant, Path], fast: bool) -> None:
    variant, folder = copied(alarm, tmp_path)
    network = alarm_network("z")
    with torch.no_grad():
        network.get_parameter("classifier.bias").fill_(float("nan"))
    save_checkpoint(folder / variant.checkpoint, network.state_dict(), {"model_name": variant.model_class}, ORIGINAL)
    with pytest.raises(DetectorUnavailable, match="not a number"):
        DetoxifyDetector(variant, folder, fast=fast).scan("hello")


def test_another_architecture_or_missing_weights_are_refused(tmp_path: Path, alarm: tuple[Variant, Path]) -> None:
    variant, folder = copied(alarm, tmp_path)
    weights = alarm_network("z").state_dict()
    cases: list[tuple[Any, Any, list[str], str]] = [
        (weights, {"model_name": "GPT2Model"}, ORIGINAL, "not one of the Detoxify"),
        (weights, {"model_name": variant.model_class}, ["made_up"], "not one of the Detoxify"),
        (weights, {"model_name": variant.model_class}, [], "not one of the Detoxify"),
        (dict(list(weights.items())[:-3]), {"model_name": variant.model_class}, ORIGINAL, "do not fit"),
        ({}, {"model_name": variant.model_class}, ORIGINAL, "do not fit"),
    ]
    for content, architecture, classes, sentence in cases:
        save_checkpoint(folder / variant.checkpoint, content, architecture, classes)
        (folder / PINS).unlink(missing_ok=True)
        with pytest.raises(DetectorUnavailable, match=sentence):
            DetoxifyDetector(variant, folder).scan("hello")
    torch.save([1, 2], folder / variant.checkpoint)
    (folder / PINS).unlink(missing_ok=True)
    with pytest.raises(DetectorUnavailable, match="not one of the Detoxify"):
        DetoxifyDetector(variant, folder).scan("hello")


@pytest.mark.parametrize("name", [GRAPH, MANIFEST])
def test_a_damaged_fast_form_is_made_again(tmp_path: Path, alarm: tuple[Variant, Path], name: str) -> None:
    variant, folder = copied(alarm, tmp_path)
    DetoxifyDetector(variant, folder).scan("hello")
    whole = (folder / GRAPH).read_bytes()
    truncate(folder / name)
    assert toxicity(DetoxifyDetector(variant, folder).scan("z")).score > 0.99
    assert (folder / GRAPH).read_bytes() == whole


def test_a_form_that_drifts_is_refused_and_the_original_used(
    tmp_path: Path, alarm: tuple[Variant, Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    variant, folder = copied(alarm, tmp_path)
    monkeypatch.setattr("playground.moderation.detoxify.export.calibration_texts", lambda: ["hello you", "a z"])
    monkeypatch.setattr("playground.moderation.detoxify.graph._LARGEST", 0.4)  # weights round to nothing
    detector = DetoxifyDetector(variant, folder)
    assert toxicity(detector.scan("z")).score > 0.99
    assert detector.version.endswith("-float32")
    assert "form int8 refused" in caplog.text
    monkeypatch.setattr("playground.moderation.detoxify.export.PRECISIONS", ("int8",))
    (folder / MANIFEST).unlink()
    detector = DetoxifyDetector(variant, folder)
    assert toxicity(detector.scan("z")).score > 0.99
    assert detector.version.endswith("-torch")
    assert DetoxifyDetector(variant, folder).scan("z")[0].version.endswith("-torch")
    assert '"torch"' in (folder / MANIFEST).read_text()


def test_a_form_that_fails_while_running_is_reported(alarm: tuple[Variant, Path], monkeypatch: Any) -> None:
    detector = DetoxifyDetector(*alarm)
    detector.scan("hello")
    assert detector._loaded is not None

    def fail(ids: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(detector._loaded.network, "score", fail)
    with pytest.raises(DetectorUnavailable, match="failed on a text"):
        detector.scan("hello")
    monkeypatch.setattr(detector._loaded.network, "score", lambda ids: np.full((len(ids), 6), np.nan))
    with pytest.raises(DetectorUnavailable, match="not a number"):
        detector.scan("hello")
