"""A line on a terminal that says how far something is; on anything else, one line per stage."""

from __future__ import annotations

from types import TracebackType
from typing import TextIO

from playground.domain import Download, Loading, Queued

_WIDTH = 24


class ProgressLine:
    """A context manager around the work; `show` is told the news."""

    def __init__(self, out: TextIO, name: str) -> None:
        self._out = out
        self._name = name
        self._last = ""
        self._drawn = 0

    def show(self, news: Loading | Queued) -> None:
        """Draw it."""
        stage = f"waiting, {news.position} in line" if isinstance(news, Queued) else news.stage.value.replace("_", " ")
        if not self._out.isatty():
            if stage != self._last:
                self._out.write(f"{self._name}: {stage}\n")
            self._last = stage
            return
        text = f"{self._name}: {stage}"
        if isinstance(news, Loading) and news.fraction is not None:
            full = round(news.fraction * _WIDTH)
            text += f" [{'#' * full}{'.' * (_WIDTH - full)}] {news.fraction:4.0%}"
        if isinstance(news, Loading) and news.download is not None:
            text += _numbers(news.download)
        self._out.write("\r" + text.ljust(self._drawn))
        self._out.flush()
        self._drawn = len(text)

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._drawn:
            self._out.write("\n")


def _numbers(download: Download) -> str:
    text = f" {download.done / 1e6:.1f} of {download.total / 1e6:.1f} MB"
    if download.speed > 0:
        text += f", {download.speed / 1e6:.1f} MB/s"
    if download.seconds_left is not None and download.done < download.total:
        minutes, seconds = divmod(round(download.seconds_left), 60)
        text += f", {minutes}:{seconds:02d} left"
    return text
