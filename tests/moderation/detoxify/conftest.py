"""Tiny networks gain nothing from threads, and a few calibration texts are enough for them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from playground.moderation.detoxify import export


@pytest.fixture(autouse=True, scope="package")
def quick() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    texts = export.calibration_texts()[::7]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "calibration_texts", lambda: texts)
        yield
    torch.set_num_threads(threads)
