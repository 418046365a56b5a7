"""Which runner fits which graph."""

from __future__ import annotations

from collections.abc import Callable

from playground.engines.contract import EngineOptions
from playground.engines.graph_session import has_shared_cache
from playground.engines.growing_runner import GrowingRunner
from playground.engines.model_files import ModelFiles
from playground.engines.model_runner import ModelRunner
from playground.engines.runner import Runner

RUNNERS: dict[bool, Callable[[ModelFiles, EngineOptions, int], Runner]] = {True: ModelRunner, False: GrowingRunner}


def load_runner(files: ModelFiles, options: EngineOptions, context_length: int) -> Runner:
    """Load the graph of a model folder. Raises ModelLoadError or OutOfMemory."""
    return RUNNERS[has_shared_cache(files)](files, options, context_length)
