"""A conversion as a job: a process of its own, so that its memory comes back and that it can be ended at any point.

The child writes into a folder beside the target; only a finished and checked one is renamed to the target's name. A
folder with that name is therefore whole, whatever was killed when.
"""

from __future__ import annotations

import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playground.domain import Loading
from playground.engines.contract import Progress
from playground.engines.conversion.request import PRECISIONS, ConversionRequest
from playground.engines.wire import Frame, Wire, unpack_error, unpack_progress
from playground.errors import Cancelled, EngineTimeout, ModelLoadError, OutOfMemory, PlaygroundError

# The child speaks every second in which it computed; one that says nothing for so long is stuck.
SILENCE_SECONDS = 300.0
_LOOK_SECONDS = 0.1


def convert(request: ConversionRequest, progress: Progress, cancelled: Callable[[], bool]) -> None:
    """Convert and check. `progress` hears the stages; `cancelled` is asked several times a second.

    Raises ModelLoadError with the reason when no route leads to a folder that computes what the checkpoint does,
    OutOfMemory, EngineTimeout when the child falls silent, and Cancelled. Nothing is left behind then. Callers see to
    it that no two convert to the same target at a time.
    """
    _check(request)
    request.target.parent.mkdir(parents=True, exist_ok=True)
    _discard_leftovers(request.target)
    with tempfile.TemporaryDirectory(prefix=f".{request.target.name}.converting-", dir=request.target.parent) as work:
        folder = Path(work) / "model"
        with _child() as (process, wire):
            adapter = None if request.adapter is None else str(request.adapter.absolute())
            fields = [str(request.source.absolute()), str(folder), request.precision, request.device, adapter]
            wire.send(["convert", *fields])
            _follow(process, wire, progress, cancelled)
        folder.rename(request.target)


def _check(request: ConversionRequest) -> None:
    if request.precision not in PRECISIONS:
        raise ModelLoadError(
            f"There is no precision {request.precision}; there are: {', '.join(PRECISIONS)}. Choose one of them."
        )
    if request.target.exists():
        raise ModelLoadError(f"The folder {request.target.name} exists already. Remove it to convert the model again.")
    if not any(request.source.glob("*.safetensors")):
        raise ModelLoadError(
            f"The folder {request.source.name} holds no safetensors file. Only safetensors checkpoints are read, "
            "since other forms can run code; choose a model that is published as safetensors."
        )


@contextmanager
def _child() -> Iterator[tuple[subprocess.Popen[bytes], Wire]]:
    command = [sys.executable, "-m", "playground.engines.conversion.child"]
    process = subprocess.Popen(  # noqa: S603  our own module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=_root()
    )
    if process.stdin is None or process.stdout is None:
        raise AssertionError("the pipes were asked for")
    wire = Wire(process.stdout, process.stdin)
    try:
        yield process, wire
    finally:
        process.kill()
        process.wait()
        wire.hang_up()


def _root() -> Path:
    return Path(__file__).parents[3]


def _follow(process: subprocess.Popen[bytes], wire: Wire, progress: Progress, cancelled: Callable[[], bool]) -> None:
    """Pass on what the child says until it is done."""
    frames: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(wire, frames), name="conversion", daemon=True).start()
    heard = time.monotonic()
    while True:
        if cancelled():
            raise Cancelled("The conversion was stopped. Load the model again to start over.")
        try:
            frame = frames.get(timeout=_LOOK_SECONDS)
        except queue.Empty:
            if time.monotonic() - heard > SILENCE_SECONDS:
                raise EngineTimeout(
                    "The conversion has shown no sign of life for a while and was ended. Try it again."
                ) from None
            continue
        heard = time.monotonic()
        if frame is None:
            raise _ended(process)
        kind, *rest = frame
        if kind == "done":
            return
        if kind == "error":
            raise unpack_error(rest)
        if kind == "progress":
            news = unpack_progress(rest)
            if isinstance(news, Loading):
                progress(news)


def _listen(wire: Wire, frames: queue.SimpleQueue[Frame | None]) -> None:
    frame: Frame | None = []
    while frame is not None:
        frame = wire.receive()
        frames.put(frame)


def _ended(process: subprocess.Popen[bytes]) -> PlaygroundError:
    """What it means that the child ended without a word: systems short of memory kill the largest process."""
    code = process.wait()
    if code == -signal.SIGKILL:
        return OutOfMemory(
            "The system ended the conversion, most likely for want of memory. Close other programs or choose a "
            "smaller model."
        )
    return ModelLoadError(f"The conversion ended unexpectedly (code {code}). Try it again, or choose another model.")


def _discard_leftovers(target: Path) -> None:
    """Remove what earlier conversions to this target left that were killed together with their parent.

    Two at the same time for one target would disturb each other: callers hold a lock for it.
    """
    for leftover in target.parent.glob(f".{target.name}.converting-*"):
        shutil.rmtree(leftover, ignore_errors=True)
