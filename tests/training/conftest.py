"""One tiny training run, shared by the tests."""

from pathlib import Path

import pytest

from training.chat.pipeline import SMOKE, Sources, prepare
from training.chat.train import Trainer

EMBEDDED = Path(__file__).parents[2] / "playground" / "embedded" / "pip"


def ignore(line: str) -> None:
    """Drop a line of progress."""


@pytest.fixture(scope="session")
def embedded() -> Path:
    """The folder of the embedded model."""
    return EMBEDDED


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    """A finished smoke run."""
    trainer = prepare(SMOKE, tmp_path_factory.mktemp("smoke"), Sources(), ignore)
    trainer.train(ignore)
    return trainer
