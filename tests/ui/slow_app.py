"""The playground with an echo engine that takes its time, so that a test can watch an answer grow.

Run as `python -m tests.ui.slow_app SECONDS [options of app.py]`: SECONDS pass before every four characters.
"""

from __future__ import annotations

import sys

from app import main
from playground.engines.echo_engine import EchoEngine
from playground.engines.registry import ENGINES, EngineKind

if __name__ == "__main__":
    delay = float(sys.argv.pop(1))
    ENGINES["echo"] = EngineKind(
        lambda spec, options, _: EchoEngine(
            delay_seconds=delay, context_length=spec.context_length, concurrent=options.max_batch
        ),
        in_worker=False,
    )
    sys.exit(main())
