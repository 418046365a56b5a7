"""Looking after servers that failed: each is asked now and then whether it works again, ever more rarely."""

from __future__ import annotations

import asyncio
import time

from playground.engines.remote.connection import unreachable
from playground.engines.remote.faults import Fault, Remedy
from playground.engines.remote.refusals import Refusal, fault_of
from playground.engines.remote.replica import Replica
from playground.errors import EngineTimeout, ServerRefused

_MODELS, _HEALTH = "/models", "//health"


class Prober:
    """Probes servers that are down, until they are up. A probe costs the server next to nothing: a list of its models.

    Used on one event loop, whose end ends the probing.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._watched: dict[Replica, asyncio.Task[None]] = {}

    def watch(self, replica: Replica) -> None:
        """Probe a server until it is up again; nothing happens if that is being done already."""
        if replica not in self._watched:
            task = asyncio.get_running_loop().create_task(self._probe_until_up(replica))
            self._watched[replica] = task
            task.add_done_callback(lambda _: self._watched.pop(replica, None))

    async def _probe_until_up(self, replica: Replica) -> None:
        while not replica.up:
            await asyncio.sleep(max(0.0, replica.pause_until - time.monotonic()))
            if replica.up or time.monotonic() < replica.pause_until:
                continue
            fault = await probe(replica, self._seconds)
            if fault is None:
                replica.recovered()
            else:
                replica.failed(fault)


async def probe(replica: Replica, seconds: float) -> Fault | None:
    """Ask a server for its models, or for its health if it has no such list; what is wrong, or None."""
    import httpx  # noqa: PLC0415

    try:
        async with asyncio.timeout(2 * seconds):
            status, content = await replica.connection.get(_MODELS)
            if status in (404, 405):
                status, content = await replica.connection.get(_HEALTH)
    except Fault as fault:
        return fault
    except httpx.HTTPError as error:
        return unreachable(replica.server, error)
    except TimeoutError:
        sentence = f"{replica.server.label} does not answer in time. Try again, or choose another model."
        return Fault(EngineTimeout(sentence), Remedy.LATER)
    if status != 200:
        return fault_of(Refusal(status, content), replica.addressee(replica.model))
    return _still_unknown(replica, content)


def _still_unknown(replica: Replica, content: object) -> Fault | None:
    """After a server said that it does not know the model: the same again, unless its list has it now."""
    before = replica.fault
    listed = content.get("data") if isinstance(content, dict) else None
    if before is None or before.remedy is not Remedy.ANOTHER or not isinstance(before.error, ServerRefused):
        return None
    if not isinstance(listed, list):
        return None
    known = {item.get("id") for item in listed if isinstance(item, dict)}
    return None if replica.model in known else before
