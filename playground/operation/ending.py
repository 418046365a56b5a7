"""How a serving process ends: nothing new, then what is being written, then the rest; at once by a second signal."""

from __future__ import annotations

import logging
import os
import signal
import threading
from types import FrameType
from typing import Protocol

import uvicorn

log = logging.getLogger(__name__)


class Answers(Protocol):
    """The part of `chat.service.ChatService` that an end has to wait for."""

    def line(self) -> tuple[int, int]:
        """How many answers are being written, and how many wait."""
        ...

    def wait_idle(self, seconds: float) -> bool:
        """Wait for all of them; False when `seconds` went by before."""
        ...

    def close(self) -> None:
        """Interrupt what is left, and take no more."""
        ...


class Ending:
    """Whether the end has begun. From then on requests are refused, and answers that are being written may go on."""

    def __init__(self) -> None:
        self.begun = False


class PatientServer(uvicorn.Server):
    """A server whose running answers may go on for `seconds` after SIGTERM or SIGINT; then they are interrupted.

    While they go on it still listens, so that whoever asks is told to come back (see `requests`). Of what is left after
    that, connections get uvicorn's `timeout_graceful_shutdown`.
    """

    def __init__(self, config: uvicorn.Config, ending: Ending, answers: Answers, seconds: float) -> None:
        super().__init__(config)
        self._ending = ending
        self._answers = answers
        self._seconds = seconds

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal came in. uvicorn's own handler would close the door before the answers are written."""
        if self._ending.begun:
            end_at_once(sig, frame)
        self._ending.begun = True
        threading.Thread(target=self._finish, name="ending", daemon=True).start()

    def _finish(self) -> None:
        try:
            running, waiting = self._answers.line()
            log.info("ending: %d answers are being written, %d wait; a second signal ends at once", running, waiting)
            if not self._answers.wait_idle(self._seconds):
                log.warning("ending: %d answers are interrupted after %g s", sum(self._answers.line()), self._seconds)
            self._answers.close()
        finally:
            self.should_exit = True


def end_at_once(number: int, frame: FrameType | None) -> None:
    """End this process without another step. What people sent is stored by then; workers end with their pipe."""
    del frame
    log.warning("ended at once by a second signal")
    os._exit(128 + number)


def listen_for_second_signal() -> None:
    """What a signal does when no server handles it: while services are being closed."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end_at_once)
