"""The real services on the echo engine, for everything in this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.config import Settings
from playground.services import Services, build
from playground.ui.words import Words, load_words


@pytest.fixture
def services(isolated: Path) -> Iterator[Services]:
    """Real storage, gate and runs; the echo engine answers."""
    built = build(Settings(data_dir=isolated / "data", default_model="echo"))
    yield built
    built.close()


@pytest.fixture
def words() -> Words:
    """English."""
    return load_words("en")
