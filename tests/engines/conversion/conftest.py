"""Conversions of tiny checkpoints in this process: one per family and precision in a session."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from playground.engines.conversion.request import ConversionRequest
from tests.architectures import save_checkpoint

Converted = Callable[..., Path]


def run_quietly(request: ConversionRequest, routes: Mapping[str, Any] | None = None) -> Any:
    """`run_conversion` without what the libraries print and warn."""
    import warnings  # noqa: PLC0415

    from playground.engines.conversion.routes import ROUTES, run_conversion  # noqa: PLC0415

    logging.disable()  # the exporter writes thousands of lines for pytest to keep
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            return run_conversion(request, lambda _: None, routes or ROUTES)
    finally:
        logging.disable(logging.NOTSET)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The tiny checkpoint of a family."""
    made: dict[str, Path] = {}

    def of(name: str) -> Path:
        if name not in made:
            made[name] = save_checkpoint(name, tmp_path_factory.mktemp(name))
        return made[name]

    return of


@pytest.fixture(scope="session")
def converted(checkpoint: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Converted:
    """The checked folder of a family in a precision."""
    made: dict[tuple[str, str], Path] = {}

    def of(name: str, precision: str = "fp32") -> Path:
        if (name, precision) not in made:
            target = tmp_path_factory.mktemp(f"{name}-{precision}") / "model"
            run_quietly(ConversionRequest(checkpoint(name), target, precision))
            made[name, precision] = target
        return made[name, precision]

    return of
