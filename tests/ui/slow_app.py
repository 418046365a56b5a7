"""The playground with an echo engine that takes its time, so that a test can watch an answer grow.

Run as `python -m tests.ui.slow_app SECONDS [options of app.py]`: SECONDS pass before every four characters. It ends
when the process that started it has ended, however that came about.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

from app import main
from playground.engines.echo_engine import EchoEngine
from playground.engines.registry import ENGINES, EngineKind


def end_with(parent: int) -> None:
    """Ask this process to end as soon as its parent is another one."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    delay = float(sys.argv.pop(1))
    ENGINES["echo"] = EngineKind(
        lambda spec, options, _: EchoEngine(
            delay_seconds=delay, context_length=spec.context_length, concurrent=options.max_batch
        ),
        in_worker=False,
    )
    sys.exit(main())
