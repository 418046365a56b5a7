"""Markdown from people and models, made fit to be shown: nothing in it may make the browser ask another server."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict

_TAGS = (
    "img|image|picture|source|video|audio|track|svg|iframe|frame|object|embed|link|meta|base|style|script|form|input"
)
_MEDIA = re.compile(rf"!(?=\[)|<(?=/?(?:{_TAGS})\b)", re.IGNORECASE)
_DEFUSED = {"!": "&#33;", "<": "&lt;"}
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_TICKS = re.compile("`+")


def without_media(text: str) -> str:
    """Markdown in which images become links and media tags become visible text; code stays as it is.

    An image is a request to another server, made by whoever reads an answer and decided by a model. Linear in the text.
    """
    if not _MEDIA.search(text):
        return text
    fence = ""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        mark = _FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not line[mark.end() :].strip():
                fence = ""
        elif mark:
            fence = mark[1]
        elif _MEDIA.search(line):
            lines[number] = _defused(line)
    return "\n".join(lines)


def _defused(line: str) -> str:
    pieces: list[str] = []
    at = 0
    for start, end in _inline_code(line):
        pieces += [_defuse(line[at:start]), line[start:end]]
        at = end
    return "".join([*pieces, _defuse(line[at:])])


def _defuse(text: str) -> str:
    return _MEDIA.sub(lambda found: _DEFUSED[found.group()], text)


def _inline_code(line: str) -> list[tuple[int, int]]:
    """Where code stands in a line: between two runs of equally many backticks."""
    runs = [found.span() for found in _TICKS.finditer(line)]
    same: dict[int, list[int]] = defaultdict(list)
    for index, (start, end) in enumerate(runs):
        same[end - start].append(index)
    spans: list[tuple[int, int]] = []
    index = 0
    while index < len(runs):
        start, end = runs[index]
        alike = same[end - start]
        closing = bisect_left(alike, index + 1)
        if closing == len(alike):
            index += 1
            continue
        spans.append((start, runs[alike[closing]][1]))
        index = alike[closing] + 1
    return spans
