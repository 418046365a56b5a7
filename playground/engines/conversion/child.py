"""The process that converts one model: `python -m playground.engines.conversion.child`, started by `job`."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from playground.domain import Loading
from playground.engines.conversion.request import ConversionRequest
from playground.engines.wire import Wire, pack_error, pack_progress
from playground.errors import ModelLoadError, OutOfMemory, PlaygroundError

_LIFE_SECONDS = 1.0
_LIFE_CPU_SECONDS = 0.01  # this thread's own waking takes less


def main() -> None:
    """Read one request from standard input, do it, and say how it went on standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches the whole terminal; the server decides
    writer = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # libraries print
    wire = Wire(sys.stdin.buffer, writer)
    frame = wire.receive()
    if frame is None:
        return
    threading.Thread(target=_end_with_parent, args=(wire,), daemon=True).start()
    _, source, target, precision, device, adapter = frame
    request = ConversionRequest(
        Path(source), Path(target), precision, device, None if adapter is None else Path(adapter)
    )
    wire.send(_work(request, _Voice(wire).say))
    os._exit(0)  # at once, whatever the libraries' threads are doing


def _work(request: ConversionRequest, say: Callable[[Loading], None]) -> list[object]:
    # Everything is in the folder: nothing is to be fetched.
    os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    warnings.simplefilter("ignore")
    try:
        from playground.engines.conversion.routes import run_conversion  # noqa: PLC0415

        run_conversion(request, say)
    except PlaygroundError as error:
        return ["error", *pack_error(error)]
    except Exception as error:  # noqa: BLE001  it ends here and becomes a typed error on the other side
        if isinstance(error, MemoryError) or "alloc" in str(error).lower():
            return ["error", *pack_error(OutOfMemory("There is not enough memory to convert this model."))]
        reason = ModelLoadError(f"The conversion failed ({type(error).__name__}). Choose another model or precision.")
        return ["error", *pack_error(reason)]
    return ["done"]


class _Voice:
    """Says where the work is, and every second whether it goes on: a child that computes nothing falls silent."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._computed = time.process_time()
        threading.Thread(target=self._repeat, daemon=True).start()

    def say(self, news: Loading) -> None:
        """Report a stage."""
        self._wire.send(["progress", *pack_progress(news)])

    def _repeat(self) -> None:
        while True:
            time.sleep(_LIFE_SECONDS)
            computed = time.process_time()
            if computed - self._computed >= _LIFE_CPU_SECONDS:
                self._wire.send(["alive"])
            self._computed = computed


def _end_with_parent(wire: Wire) -> None:
    """The parent never writes again: when reading ends, it is gone."""
    wire.receive()
    os._exit(1)


if __name__ == "__main__":
    main()
