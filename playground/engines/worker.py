"""The process that runs one model: `python -m playground.engines.worker`, started by `worker_engine`.

It reads frames (see `wire`) from standard input and ends when that ends, so it never outlives the server.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

from playground.domain import Loading, Queued
from playground.engines.contract import Engine, EngineOptions, TransparentEngine
from playground.engines.registry import kind_of
from playground.engines.wire import (
    Frame,
    Wire,
    pack_delta,
    pack_error,
    pack_look,
    pack_progress,
    unpack_params,
    unpack_prompt,
    unpack_spec,
)
from playground.errors import Cancelled, EngineError, PlaygroundError
from playground.log import about_request, begin_log, places

# Run as a program, this module is `__main__`.
log = logging.getLogger("playground.engines.worker")


class Worker:
    """Serves one engine over one wire; every answer has a thread that hands its pieces on."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._wanted: set[int] = set()

    def run(self) -> None:
        """Load what the first frame names, then serve until the server hangs up."""
        first = self._wire.receive()
        if first is None or first[0] != "load":
            return
        engine: list[Engine] = []
        threading.Thread(target=self._load, args=(first, engine), name="load", daemon=True).start()
        serve: dict[str, Callable[[Engine, int, Frame], None]] = {
            "generate": self._generate,
            "score": self._score,
            "look": self._look,
        }
        while (frame := self._wire.receive()) is not None:
            kind, number, *rest = frame
            if kind == "cancel":
                self._wanted.discard(number)
                continue
            self._wanted.add(number)
            task = (serve[kind], engine[0], number, *rest)
            threading.Thread(target=self._guarded, args=task, name=f"{kind} {number}", daemon=True).start()

    def _load(self, frame: Frame, engine: list[Engine]) -> None:
        spec, options = unpack_spec(frame[1]), EngineOptions(**frame[2])
        begin_log(*frame[3:])
        try:
            engine.append(kind_of(spec).create(spec, options, self._report_loading))
        except PlaygroundError as error:
            self._wire.send(["error", 0, *pack_error(error)])
        else:
            able = engine[0].capabilities
            self._wire.send(["loaded", 0, able.context_length, able.logprobs, able.concurrent, able.schemas])

    def _report_loading(self, news: Loading | Queued) -> None:
        self._wire.send(["progress", 0, *pack_progress(news)])

    def _guarded(
        self,
        serve: Callable[[Engine, int, Frame], None],
        engine: Engine,
        number: int,
        request: str,
        *details: Any,
    ) -> None:
        with about_request(request):
            self._serve(partial(serve, engine, number, list(details)), number)

    def _serve(self, work: Callable[[], None], number: int) -> None:
        began = time.monotonic()
        failure: PlaygroundError | None = EngineError(
            "The model failed for an unexpected reason that the server's log tells. Try again."
        )
        try:
            work()
            failure = None
        except PlaygroundError as error:
            failure = error
        except Exception as error:  # noqa: BLE001  the last line of a thread: it becomes the typed error above
            log.error("%s", places(error))  # noqa: TRY400  and not its text, which may quote what people wrote
        finally:
            ended = "done" if failure is None else failure.code
            log.debug("%s: %s after %.3f s", threading.current_thread().name, ended, time.monotonic() - began)
            if failure is not None and number in self._wanted:
                self._wire.send(["error", number, *pack_error(failure)])
            self._wanted.discard(number)

    def _generate(self, engine: Engine, number: int, rest: Frame) -> None:
        def report(news: Loading | Queued) -> None:
            if number not in self._wanted:
                raise Cancelled("The answer was stopped. Send the message again to get one.")
            self._wire.send(["progress", number, *pack_progress(news)])

        stream = engine.generate(unpack_prompt(rest[0]), unpack_params(rest[1]), report)
        with closing(stream):  # type: ignore[type-var]  # engines give generators
            for delta in stream:
                if number not in self._wanted:
                    return
                self._wire.send(["delta", number, *pack_delta(delta)])

    def _score(self, engine: Engine, number: int, rest: Frame) -> None:
        self._wire.send(["scores", number, engine.score(rest[0])])

    def _look(self, engine: Engine, number: int, rest: Frame) -> None:
        if not isinstance(engine, TransparentEngine):
            raise EngineError("This engine has no probabilities. Choose another model to see them.")
        prompt, params, first, count = rest
        looks = engine.look(unpack_prompt(prompt), unpack_params(params), first=first, count=count)
        self._wire.send(["looks", number, [pack_look(look) for look in looks]])


def main() -> None:
    """Serve on standard input and output, which nothing else may write to: prints go to standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches the whole terminal; the server decides
    writer = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    Worker(Wire(sys.stdin.buffer, writer)).run()
    os._exit(0)  # at once, whatever the engine's threads are doing


if __name__ == "__main__":
    main()
