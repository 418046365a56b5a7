"""Whether this process can do its work: part by part, without secrets and without anybody's words."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from playground.errors import ModelLoadError, ModerationError, PlaygroundError
from playground.operation.ending import Ending
from playground.services import Services
from playground.storage.migrations import PROBE, pending

HARMLESS = "Good day."
_START_SECONDS = 20.0
_OFTEN, _SELDOM = 1.0, 60.0


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the house; `reason` is a sentence for the operator, empty when it is ready."""

    name: str
    ready: bool
    reason: str = ""


@dataclass(slots=True)
class _Check:
    """A part, how it is looked at, and for how long a good result counts (seconds); a bad one counts for one."""

    name: str
    look: Callable[[], None]
    lasts: float
    known: Part | None = None
    until: float = 0.0


class Readiness:
    """Looks at the parts when asked, and remembers what it saw for a while: anybody may ask, as often as they like."""

    def __init__(self, services: Services, ending: Ending) -> None:
        self._services = services
        self._ending = ending
        self._lock = threading.Lock()
        self._checks = (
            _Check("database", self._database, _OFTEN),
            _Check("migrations", self._migrations, _SELDOM),
            _Check("moderation", self._moderation, _SELDOM),
            _Check("workers", start_process, _SELDOM),
        )

    def parts(self) -> tuple[Part, ...]:
        """Every part as it is now, or was a moment ago."""
        ending = self._ending.begun
        door = Part("requests", not ending, "The server is ending. Ask again in a moment." if ending else "")
        with self._lock:
            return (door, *(_looked(check) for check in self._checks))

    def _database(self) -> None:
        self._services.database.check(PROBE)

    def _migrations(self) -> None:
        missing = pending(self._services.database)
        if missing:
            raise PlaygroundError(f"The database lacks {len(missing)} steps. Start the playground again.")

    def _moderation(self) -> None:
        """Every detector of the policy looks at a harmless text, which also loads what is loaded when first asked."""
        moderator = self._services.moderator
        verdict = moderator.check_input(HARMLESS).verdict
        missing = {*moderator.unable, *(verdict.degraded if verdict is not None else ())}
        if missing and moderator.policy.unavailable == "block":
            raise ModerationError(f"These detectors cannot run: {', '.join(sorted(missing))}. See the server's log.")


def _looked(check: _Check) -> Part:
    now = time.monotonic()
    if check.known is None or now >= check.until:
        try:
            check.look()
            check.known = Part(check.name, ready=True)
        except PlaygroundError as error:
            check.known = Part(check.name, ready=False, reason=str(error))
        check.until = now + (check.lasts if check.known.ready else _OFTEN)
    return check.known


def start_process() -> None:
    """Start a process, as workers are started, that does nothing. Raises ModelLoadError when that is not possible."""
    try:
        subprocess.run([sys.executable, "-I", "-S", "-c", ""], timeout=_START_SECONDS, check=True, capture_output=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise ModelLoadError(
            f"No process can be started ({type(error).__name__}). Check the limits on processes and memory."
        ) from error
