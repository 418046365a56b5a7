"""From runs, which threads write, to one stream of their events on the event loop; and who stops them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress

from starlette.types import Receive

from playground.chat.run import Run
from playground.domain import ChatEvent

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 5.0

News = list[tuple[int, ChatEvent]]


async def follow(runs: Sequence[Run], silence: float | None = None) -> AsyncIterator[News]:
    """The events of all runs, each with its run's number, until the last has ended. Nothing is polled.

    An empty list says that nothing came for `silence` seconds (None: `HEARTBEAT_SECONDS`).
    """
    loop, changed = asyncio.get_running_loop(), asyncio.Event()

    def notify() -> None:
        with suppress(RuntimeError):  # the loop is closed: the server is ending, and nobody follows any more
            loop.call_soon_threadsafe(changed.set)

    positions = dict.fromkeys(range(len(runs)), 0)
    with ExitStack() as stack:
        for run in runs:
            stack.enter_context(run.watched(notify))
        while True:
            changed.clear()
            news: News = []
            for number, position in list(positions.items()):
                events, positions[number], done = runs[number].after(position)
                news += [(number, event) for event in events]
                if done:
                    del positions[number]
            if news:
                yield news
            if not positions:
                return
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS if silence is None else silence):
                    await changed.wait()
            except TimeoutError:
                yield []


@asynccontextmanager
async def cancelled_with(receive: Receive, runs: Sequence[Run]) -> AsyncIterator[None]:
    """Stop the runs when the client goes away during the body, and whatever of them is left when it ends."""

    async def listen() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        log.info("a client went away; its %d answers are stopped", len(runs))
        _cancel(runs)

    listening = asyncio.create_task(listen())
    try:
        yield
    finally:
        listening.cancel()
        _cancel(runs)


def _cancel(runs: Sequence[Run]) -> None:
    for run in runs:
        run.cancel()
