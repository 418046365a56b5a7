"""The server's side of a worker process: an `Engine` whose model lives elsewhere.

Unloading ends the process, which gives all of its memory back; a crash ends one model and nothing else.
"""

from __future__ import annotations

import itertools
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from playground.catalog.spec import ModelSpec
from playground.domain import SamplingParams
from playground.engines.contract import Capabilities, Delta, EngineOptions, Look, Progress, Prompt
from playground.engines.wire import (
    Frame,
    Wire,
    pack_params,
    pack_prompt,
    pack_spec,
    unpack_delta,
    unpack_error,
    unpack_look,
    unpack_progress,
)
from playground.errors import Cancelled, EngineError, EngineTimeout, ModelLoadError, WorkerDied
from playground.log import in_force, request_id

_POLL_SECONDS = 0.5
# PyTorch's threads would spin while they wait for each other: on a busy machine a model then takes many times as long.
_PATIENT = {"OMP_WAIT_POLICY": "PASSIVE"}
_ROOT = Path(__file__).resolve().parents[2]
_Inbox = queue.SimpleQueue[Frame | None]


class WorkerEngine:
    """Starts a worker and waits until the model is loaded.

    Raises what loading raised there; EngineTimeout after `start_seconds`; ModelLoadError when the process ends;
    Cancelled once `abandoned()` says that nobody wants it any more. An answer without a sign of life for
    `stall_seconds` ends the process.
    """

    def __init__(
        self,
        spec: ModelSpec,
        options: EngineOptions,
        progress: Progress,
        *,
        start_seconds: float,
        stall_seconds: float,
        abandoned: Callable[[], bool],
    ) -> None:
        self._name = spec.name
        self._stall_seconds = stall_seconds
        self._numbers = itertools.count(1)
        self._loading: _Inbox = queue.SimpleQueue()
        self._inboxes: dict[int, _Inbox] = {0: self._loading}
        self._lock = threading.Lock()
        self._heard = time.monotonic()
        self._gone = False
        self._closed = False
        self._process = _spawn()
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("both pipes were asked for")
        self._wire = Wire(self._process.stdout, self._process.stdin)
        threading.Thread(target=self._read, name=f"worker of {spec.id}", daemon=True).start()
        try:
            self._send(["load", pack_spec(spec), asdict(options), *in_force()])
            self._capabilities = self._await_loaded(progress, start_seconds, abandoned)
        except BaseException:
            self.close()
            raise

    @property
    def capabilities(self) -> Capabilities:
        """As the engine in the worker told them."""
        return self._capabilities

    @property
    def pid(self) -> int:
        """Process id of the worker."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the worker can still answer."""
        return not self._gone and self._process.poll() is None

    def memory_bytes(self) -> int:
        """Resident memory of the worker; 0 where the system does not tell (it is read from /proc)."""
        try:
            fields = Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()
            return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, IndexError, ValueError):
            return 0

    def generate(self, prompt: Prompt, params: SamplingParams, progress: Progress | None = None) -> Iterator[Delta]:
        """Hand the request to the worker and its pieces back.

        Raises WorkerDied when the process ends on the way, EngineTimeout when it falls silent.
        """
        number, inbox = self._open()
        try:
            self._send(["generate", number, request_id(), pack_prompt(prompt), pack_params(params)])
            while True:
                kind, _, *rest = self._next(inbox)
                if kind == "progress" and progress is not None:
                    progress(unpack_progress(rest))
                elif kind == "delta":
                    delta = unpack_delta(rest)
                    yield delta
                    if delta.finish_reason is not None:
                        return
        finally:
            self._leave(number)

    def score(self, token_ids: Sequence[int]) -> list[float]:
        """Log-probabilities from the worker. Raises what `generate` raises."""
        return [float(value) for value in self._ask("score", [list(token_ids)], "scores")]

    def look(self, prompt: Prompt, params: SamplingParams, *, first: int, count: int) -> list[Look]:
        """Probabilities from the worker. Raises what `generate` raises."""
        packed = self._ask("look", [pack_prompt(prompt), pack_params(params), first, count], "looks")
        return [unpack_look(look) for look in packed]

    def close(self) -> None:
        """End the process and wait until it is gone; may be called twice."""
        self._closed = True
        self._wire.hang_up()
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=30)

    def _ask(self, kind: str, details: Frame, answer: str) -> list[Any]:
        """One question with one answer, which is a list."""
        number, inbox = self._open()
        try:
            self._send([kind, number, request_id(), *details])
            while True:
                told, _, *rest = self._next(inbox)
                if told == answer:
                    return list(rest[0])
        finally:
            self._leave(number)

    def _open(self) -> tuple[int, _Inbox]:
        inbox: _Inbox = queue.SimpleQueue()
        with self._lock:
            if self._gone:
                raise self._ended()
            number = next(self._numbers)
            self._inboxes[number] = inbox
        return number, inbox

    def _leave(self, number: int) -> None:
        with self._lock:
            unfinished = self._inboxes.pop(number, None) is not None and not self._gone
        if unfinished:
            try:
                self._send(["cancel", number])
            except EngineError:
                return  # it ended by itself in the meantime

    def _send(self, frame: Frame) -> None:
        try:
            self._wire.send(frame)
        except (OSError, ValueError) as error:
            raise self._ended() from error

    def _read(self) -> None:
        while (frame := self._wire.receive()) is not None:
            self._heard = time.monotonic()
            with self._lock:
                inbox = self._inboxes.get(frame[1])
            if inbox is not None:
                inbox.put(frame)
        with self._lock:
            self._gone = True
            for inbox in self._inboxes.values():
                inbox.put(None)

    def _next(self, inbox: _Inbox) -> Frame:
        """The next frame; raises the worker's error, or that it is gone or silent."""
        asked = time.monotonic()
        while True:
            try:
                frame = inbox.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                if time.monotonic() - max(asked, self._heard) > self._stall_seconds:
                    self._gone = True  # at once: nobody else shall be handed this worker
                    self._process.kill()
                    raise EngineTimeout(
                        f"{self._name} gave no sign of life for {self._stall_seconds:g} seconds and was stopped. "
                        "Try again."
                    ) from None
                continue
            if frame is None:
                raise self._ended()
            if frame[0] == "error":
                raise unpack_error(frame[2:])
            return frame

    def _await_loaded(self, progress: Progress, seconds: float, abandoned: Callable[[], bool]) -> Capabilities:
        deadline = time.monotonic() + seconds
        while True:
            if abandoned():
                raise Cancelled(f"Loading {self._name} was stopped. Send the message again to load it.")
            if time.monotonic() > deadline:
                raise EngineTimeout(
                    f"{self._name} was not loaded within {seconds:g} seconds. "
                    "Choose a smaller model, or raise model_start_seconds."
                )
            try:
                frame = self._loading.get(timeout=_POLL_SECONDS / 5)
            except queue.Empty:
                continue
            if frame is None:
                raise ModelLoadError(
                    f"The process that loads {self._name} ended, perhaps for lack of memory. Choose a smaller model."
                )
            kind, _, *rest = frame
            if kind == "error":
                raise unpack_error(rest)
            if kind == "loaded":
                return Capabilities(*rest)
            progress(unpack_progress(rest))

    def _ended(self) -> EngineError:
        if self._closed:
            return EngineError(f"{self._name} was unloaded. Send the message again to load it.")
        return WorkerDied(f"The process that ran {self._name} ended unexpectedly. Try again: it is started anew.")


def _spawn() -> subprocess.Popen[bytes]:
    path = os.pathsep.join(item for item in (str(_ROOT), os.environ.get("PYTHONPATH")) if item)
    return subprocess.Popen(
        [sys.executable, "-m", "playground.engines.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**_PATIENT, **os.environ, "PYTHONPATH": path},
    )
