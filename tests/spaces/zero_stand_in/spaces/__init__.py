"""A small stand-in for Hugging Face's `spaces` package (0.51): what it does to a decorated generator on ZeroGPU.

Written for these tests from the package's behaviour: every call asks the device API for a card, in the name of the
request that Gradio is serving (`X-IP-Token`); the generator runs in a forked process, which is used again; arguments
and pieces are pickled; closing the outer generator stops the inner one at its next piece; an exception comes back as
`gr.Error` with nothing but its class. Without SPACES_ZERO_GPU the function is returned as it is.
"""

from __future__ import annotations

import inspect
import json
import multiprocessing
import os
import pickle
import signal
import sys
import types
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

_FORK = multiprocessing.get_context("fork")
_END = "end"
ACTIVE = os.environ.get("SPACES_ZERO_GPU") == "true"


def ask(path: str, **parameters: object) -> dict[str, Any]:
    """Ask the device API. Raises gr.Error in the package's words when it refuses."""
    url = f"{os.environ['SPACES_ZERO_DEVICE_API_URL']}/{path}?{urlencode(parameters)}"
    try:
        with urlopen(Request(url, method="POST"), timeout=30) as answer:
            return dict(json.loads(answer.read() or b"{}"))
    except HTTPError as refused:
        import gradio as gr  # noqa: PLC0415

        title = "ZeroGPU quota exceeded"
        raise gr.Error("You have exceeded your free ZeroGPU quota (60s requested).", title=title) from refused


def GPU(duration: Callable[..., int]) -> Callable[[Callable[..., Iterator[Any]]], Callable[..., Iterator[Any]]]:  # noqa: N802
    """The decorator; `duration` is asked with the arguments of the call."""

    def decorate(task: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        assert inspect.isgeneratorfunction(task)
        return _lent(task, duration) if ACTIVE else task

    return decorate


def gradio_auto_wrap(function: Callable[..., Any]) -> Callable[..., Any]:
    """Gradio gives every listener to this; by default it does nothing."""
    return function


def _lent(task: Callable[..., Iterator[Any]], duration: Callable[..., int]) -> Callable[..., Iterator[Any]]:
    workers: list[_Worker] = []

    @wraps(task)
    def call(*arguments: Any) -> Iterator[Any]:
        from gradio.context import LocalContext  # noqa: PLC0415

        request = LocalContext.request.get(None)
        token = request.headers.get("x-ip-token", "") if request is not None else ""
        lent = ask("schedule", token=token, durationSeconds=duration(*arguments))["allowToken"]
        worker = workers.pop() if workers and workers[-1].process.is_alive() else _Worker(task)
        try:
            yield from worker.run(arguments)
            workers.append(worker)
        finally:
            ask("release", allowToken=lent)

    return call


class _Worker:
    def __init__(self, task: Callable[..., Iterator[Any]]) -> None:
        self.arguments, self.results, self.stop = _FORK.SimpleQueue(), _FORK.SimpleQueue(), _FORK.Event()
        self.process = _FORK.Process(target=self._work, args=(task,), daemon=True)
        self.process.start()
        ask("allow", pid=self.process.pid)

    def run(self, arguments: tuple[Any, ...]) -> Iterator[Any]:
        self.arguments.put(pickle.dumps(arguments))
        ended = False
        try:
            while True:
                kind, value = pickle.loads(self.results.get())
                ended = kind != "piece"
                if kind == _END:
                    return
                if kind == "error":
                    import gradio as gr  # noqa: PLC0415

                    raise gr.Error(value, title="ZeroGPU worker error")
                yield value
        finally:
            if not ended:
                self.stop.set()
                while pickle.loads(self.results.get())[0] == "piece":
                    pass

    def _work(self, task: Callable[..., Iterator[Any]]) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        while True:
            arguments = pickle.loads(self.arguments.get())
            self.stop.clear()
            last: tuple[str, Any] = (_END, None)
            pieces = task(*arguments)
            try:
                for piece in pieces:
                    if self.stop.is_set():
                        break
                    self.results.put(pickle.dumps(("piece", piece)))
            except Exception as error:  # noqa: BLE001  as the package does
                last = ("error", type(error).__name__)
            pieces.close()  # type: ignore[attr-defined]
            self.results.put(pickle.dumps(last))


if ACTIVE:
    zero = types.ModuleType("spaces.zero")
    zero.startup = lambda: ask("startup-report")  # type: ignore[attr-defined]
    sys.modules["spaces.zero"] = zero
