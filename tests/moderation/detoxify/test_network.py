"""Every form of every variant gives the scores that Detoxify itself gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from detoxify import Detoxify
from detoxify.detoxify import MODEL_URLS

from playground.moderation.detoxify.detector import DetoxifyDetector
from playground.moderation.detoxify.export import MAX_DRIFT, PRECISIONS
from playground.moderation.detoxify.variants import RELEASES, VARIANTS
from tests.moderation.detoxify.models import ORIGINAL, write_model

TEXTS = ["hello you", "what a fine day, is it not?", "bạn đi đâu đấy", "0123 abc!", "a"]


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("form", ["torch", *PRECISIONS])
def test_scores_equal_those_of_detoxify(name: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variant = write_model(tmp_path / name, name)
    monkeypatch.setattr("playground.moderation.detoxify.export.PRECISIONS", (form,))
    detector = DetoxifyDetector(variant, tmp_path / name, fast=form != "torch")
    expected = Detoxify(checkpoint=str(tmp_path / name / variant.checkpoint)).predict(TEXTS)
    found = [detector.scan(text) for text in TEXTS]
    assert [[finding.category for finding in findings] for findings in found] == [list(expected)] * len(TEXTS)
    scores = np.array([[finding.score for finding in findings] for findings in found])
    difference = np.abs(scores - np.array(list(expected.values())).T)
    assert detector.version.endswith(form)
    assert difference.mean() <= (MAX_DRIFT if form == "int8" else 1e-4)
    assert np.ptp(scores) > 0.05


def test_the_table_of_variants_is_that_of_the_package() -> None:
    ours = {name: f"{RELEASES}/{variant.release}/{variant.checkpoint}" for name, variant in VARIANTS.items()}
    assert ours == MODEL_URLS
    for variant in VARIANTS.values():
        assert variant.sha256.startswith(variant.checkpoint.rsplit("-")[-1].removesuffix(".ckpt"))


def test_a_label_of_old_checkpoints_gets_its_new_name(tmp_path: Path) -> None:
    variant = write_model(tmp_path, "original", classes=ORIGINAL)
    labels = [finding.category for finding in DetoxifyDetector(variant, tmp_path, fast=False).scan("hello")]
    assert labels == ["toxicity", "severe_toxicity", "obscene", "threat", "insult", "identity_attack"]
