"""Serve the playground on ZeroGPU, where a graphics card is lent for the length of one call."""

from __future__ import annotations

import spaces  # isort: skip  before anything that could touch CUDA
import logging
import sys
from collections.abc import Iterator

from playground.config import load_settings
from playground.domain import Loading, Queued
from playground.engines.lease import Job, Lease, Piece, seconds_for
from playground.engines.lent_card import LentCard
from playground.errors import PlaygroundError
from playground.log import end_with
from playground.server import bind, keep_log, serve
from playground.services import Services

log = logging.getLogger("playground.zerogpu")
CARD = LentCard()


@spaces.GPU(duration=seconds_for)
def generate(job: Job) -> Iterator[Piece]:
    """Write one answer with the card; runs in a process of its own. Must be a plain generator of the module."""
    yield from CARD.answer(job)


def prepare(services: Services) -> None:
    """Load the default model, then tell ZeroGPU that the Space has started: it moves what is loaded by then.

    Gradio's `launch` would tell it; this app has a server of its own.
    """
    spec = services.catalog.get(services.settings.default_model)
    try:
        if "torch" in {spec.engine, *spec.engines}:
            ready = services.library.make_ready(spec, _say, lambda: False)
            CARD.load(ready, services.pool.options_for(ready))
    except PlaygroundError as error:  # the page can still be used, and says what is wrong when the model is asked
        log.warning("%s is not ready: %s", spec.id, error)
    zero = sys.modules.get("spaces.zero")
    if hasattr(zero, "startup"):
        zero.startup()


def _say(news: Loading | Queued) -> None:
    if isinstance(news, Loading):
        log.debug("%s", news.stage.value)


def main() -> int:
    """Serve until stopped; returns the exit status, after one clear sentence if something is wrong."""
    try:
        settings = load_settings()
        keep_log(settings)
        serve(settings, bind(settings), Lease(call=generate), prepare)
    except PlaygroundError as error:
        end_with(str(error))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
