"""Markdown from people and models, made fit to be shown: nothing of it vanishes, nothing asks another server."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict

_MEDIA = (
    "img|image|picture|source|video|audio|track|svg|iframe|frame|object|embed|link|meta|base|style|script|form|input"
)
_PLAIN = (
    "a|abbr|b|blockquote|br|code|dd|del|details|div|dl|dt|em|h[1-6]|hr|i|ins|kbd|li|mark|ol|p|pre|q|s|samp|small|span|"
    "strong|sub|summary|sup|table|tbody|td|tfoot|th|thead|tr|u|ul|var"
)
# Every one of these begins where it matches and ends at the next character, so a search is linear in the text.
_ASKING = re.compile(rf"!(?=\[)|<(?=/?(?:{_MEDIA})\b)", re.IGNORECASE)
_UNKNOWN = re.compile(rf"!(?=\[)|<(?=[a-z/!?])(?!/?(?:{_PLAIN})\b|https?:|mailto:)", re.IGNORECASE)
_ANY = re.compile(r"!(?=\[)|<(?=[a-z/!?])", re.IGNORECASE)
_SHOWN = {"!": "&#33;", "<": "&lt;"}
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_TICKS = re.compile("`+")
_FORMULA = re.compile(r"(\$\$.{1,300}?\$\$|\\\(.{1,300}?\\\)|\\\[.{1,300}?\\\])")


def displayable(text: str, *, html: bool) -> str:
    """Markdown in which images become links and tags that would load something or vanish become visible text.

    With `html` the tags that only shape text keep working, as models use them; without, every tag is shown as it was
    typed. Code and formulas stay as they are. An image is a request to another server, made by whoever reads an answer
    and decided by a model. Linear in the text.
    """
    tags = _UNKNOWN if html else _ANY
    if not tags.search(text):
        return text
    fence, formula = "", False
    lines = text.split("\n")
    for number, line in enumerate(lines):
        mark = _FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not line[mark.end() :].strip():
                fence = ""
            continue
        if mark and not formula:
            fence = mark[1]
            continue
        ends = line.count("$$") % 2 == 1
        lines[number] = _shown(line, _ASKING if formula or ends else tags)
        formula ^= ends
    return "\n".join(lines)


def _shown(line: str, tags: re.Pattern[str]) -> str:
    if not tags.search(line):
        return line
    pieces: list[str] = []
    at = 0
    for start, end in _inline_code(line):
        pieces += [_outside_code(line[at:start], tags), line[start:end]]
        at = end
    return "".join([*pieces, _outside_code(line[at:], tags)])


def _outside_code(text: str, tags: re.Pattern[str]) -> str:
    parts = _FORMULA.split(text)
    return "".join(_escape(part, _ASKING if number % 2 else tags) for number, part in enumerate(parts))


def _escape(text: str, tags: re.Pattern[str]) -> str:
    return tags.sub(lambda found: _SHOWN[found.group()], text)


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
