"""What an answer is doing before and while it appears: one line, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass

from playground.chat.run import RunSnapshot
from playground.domain import Checking, Download, Loading, Queued
from playground.ui.picker_view import download_line
from playground.ui.words import Words


@dataclass(frozen=True, slots=True)
class Live:
    """`text` is empty while the answer speaks for itself. `fraction` is 0 to 1, None when it cannot be told."""

    text: str = ""
    fraction: float | None = None


def live_line(snapshot: RunSnapshot, model: str, words: Words) -> Live:
    """The line for a snapshot; `model` is the model's name."""
    match snapshot.stage:
        case Queued(position):
            return Live(words("live.queued", position=position))
        case Loading(stage, fraction, download=Download() as download):
            return Live(f"{words(f'live.{stage.value}', model=model)} {download_line(download, words)}", fraction)
        case Loading(stage, fraction):
            return Live(words(f"live.{stage.value}", model=model), fraction)
        case Checking() if not snapshot.text:
            return Live(words("live.checking"))
    if snapshot.text or snapshot.reasoning:
        return Live()
    return Live(words("live.writing" if snapshot.tokens else "live.prefilling", model=model))
