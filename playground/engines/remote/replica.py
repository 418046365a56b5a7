"""One server of a model as this playground sees it: how busy, how quick, and whether to leave it alone for now."""

from __future__ import annotations

import random
import time
from collections import deque
from statistics import median

from playground.catalog.servers import ModelServer
from playground.domain import utc_now
from playground.engines.contract import ServerHealth
from playground.engines.remote.connection import Connection
from playground.engines.remote.faults import Fault, Remedy
from playground.engines.remote.refusals import Addressee

_REMEMBERED = 32  # times to the first token
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds
_SETUP_PAUSE = 15.0


class Replica:
    """State of one server. Changed on the event loop only; `health` may be read from anywhere."""

    def __init__(self, server: ModelServer, model: str, connection: Connection) -> None:
        self.server = server
        self.model = model
        self.connection = connection
        self.left_out: frozenset[str] = frozenset()
        self.in_flight = 0
        self.answered = 0
        self.unanswered = 0
        self.fault: Fault | None = None
        self.pause_until = 0.0  # on time.monotonic's clock
        self._since = utc_now()
        self._in_a_row = 0
        self._first_tokens: deque[float] = deque(maxlen=_REMEMBERED)

    @property
    def up(self) -> bool:
        """Whether the latest sign was a good one."""
        return self.fault is None

    @property
    def limited(self) -> float:
        """For how many more seconds the server asked to be left alone."""
        if self.fault is None or self.fault.wait is None:
            return 0.0
        return max(0.0, self.pause_until - time.monotonic())

    @property
    def burden(self) -> tuple[int, float]:
        """What to compare servers by: requests in flight from here, then the time to the first token."""
        return self.in_flight, self.first_token or 0.0

    @property
    def first_token(self) -> float | None:
        """Median of the latest times to the first token, in seconds."""
        return median(self._first_tokens) if self._first_tokens else None

    def addressee(self, name: str) -> Addressee:
        """This server, asked for the model that people call `name`."""
        return Addressee(self.server, self.model, name)

    def began(self, seconds: float) -> None:
        """An answer began after so many seconds."""
        self._first_tokens.append(seconds)
        self._in_a_row = 0
        self.recovered()

    def recovered(self) -> None:
        """The server gave a sign that it works."""
        if self.fault is not None:
            self._since = utc_now()
        self.fault = None

    def failed(self, fault: Fault) -> None:
        """An attempt or a probe failed: leave the server alone, longer each time in a row."""
        if not fault.down:
            return
        self._in_a_row += 1
        pause = _SETUP_PAUSE if fault.remedy is Remedy.ANOTHER else pause_after(self._in_a_row)
        if fault.wait is not None:
            pause = fault.wait
        if self.fault is None:
            self._since = utc_now()
        self.fault = fault
        self.pause_until = time.monotonic() + pause

    def health(self) -> ServerHealth:
        """What people are shown."""
        fault = self.fault
        return ServerHealth(
            label=self.server.label,
            up=fault is None,
            since=self._since,
            error="" if fault is None else fault.error.code,
            in_flight=self.in_flight,
            answered=self.answered,
            failed=self.unanswered,
            first_token=self.first_token,
            left_out=tuple(sorted(self.left_out)),
        )


def pause_after(failures: int) -> float:
    """Seconds after so many failures in a row: doubled each time, and never the same for two clients at once."""
    doubled: float = FIRST_PAUSE * 2.0 ** min(failures - 1, 16)
    return min(LONGEST_PAUSE, doubled) * random.uniform(0.75, 1.25)  # noqa: S311  no secret hangs on it
