"""How Gradio queues the events of a page, and of the named endpoints."""

from __future__ import annotations

import gradio as gr

KEPT_EVENTS = 100


def open_queue(demo: gr.Blocks) -> None:
    """Let every listener run at once and none be called by programs: the services decide who waits, how many run."""
    demo.queue(max_size=None, default_concurrency_limit=None, api_open=False)
    keep_few_events(demo)


def keep_few_events(demo: gr.Blocks) -> None:
    """Bound what Gradio sums up at every end of an event, on the event loop: it takes time, and memory for good.

    It keeps 10,000 events unless told otherwise.
    """
    demo._queue.ANALYTICS_MAX_EVENTS = KEPT_EVENTS
