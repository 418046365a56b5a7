"""Addresses and numbers that a line end breaks in two, read as one; offsets kept.

A line end is seen through only where little else can be meant: inside an e-mail address behind "@" or "-", or behind a
dot before a common top-level domain; inside a number that is written in groups ("0912 345 / 678"), once, and with no
further number on the line before or behind. So a column of numbers stays one, and "an@exa / mple.com" is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from playground.moderation.markup import Rewritten, Seen, rewrite

_END = r"[ \t]{0,4}\r?\n[ \t>]{0,8}"
_DOMAINS = "com|org|net|edu|gov|info|io|vn|uk|de|fr|eu|co"
_EMAIL = re.compile(
    rf"@(?:[A-Za-z0-9.-]{{0,80}}-)?({_END})(?=[A-Za-z0-9-]{{1,63}}\.[A-Za-z0-9])"
    rf"|@[A-Za-z0-9.-]{{0,80}}-({_END})(?=[A-Za-z0-9])"
    rf"|@[A-Za-z0-9.-]{{1,80}}\.({_END})(?=(?:{_DOMAINS})(?![A-Za-z0-9]))"
)
_NUMBER = re.compile(
    r"(?<![0-9A-Za-z])(?<![0-9][ .()\-\n])(?<![0-9]\r\n)"
    rf"([+(]?[0-9][0-9 .()-]{{1,24}}?)({_END})(?=([0-9(][0-9 .()-]{{1,24}}+)(?![0-9])(?!\r?\n[ \t>]{{0,8}}[0-9]))"
)
_GROUPED = re.compile(r"[0-9)][ .()-]{1,2}[0-9(]|^\+")
_SEPARATORS = " .-("
# What may still become such a break when more text follows, and more than that: columns of numbers too.
_GOING = re.compile(
    rf"@(?:[A-Za-z0-9.-]{{0,80}}[.-])?({_END})(?=[A-Za-z0-9-]|\Z)|[0-9)][ .()-]{{0,2}}({_END})(?=[0-9(]|\Z)"
)


def without_breaks(view: Seen) -> Rewritten | None:
    """`view` with the line ends inside of addresses and numbers left out or made spaces; None if there is none."""
    if "\n" not in view.text:
        return None
    return rewrite(view, sorted([*_address_breaks(view.text), *_number_breaks(view.text)]))


def without_open_breaks(view: Seen) -> Seen:
    """As `without_breaks`, for a text that is going on: what may turn out to be a break is taken for one."""
    going = (match for match in _GOING.finditer(view.text) if "\n" in view.text)
    return rewrite(view, ((*match.span(match.lastindex or 0), "") for match in going)) or view


def _address_breaks(text: str) -> Iterator[tuple[int, int, str]]:
    for match in _EMAIL.finditer(text) if "@" in text else ():
        yield *match.span(match.lastindex or 0), ""


def _number_breaks(text: str) -> Iterator[tuple[int, int, str]]:
    for match in _NUMBER.finditer(text):
        if _GROUPED.search(match[1]) or _GROUPED.search(match[3]):
            yield *match.span(2), "" if match[1][-1] in _SEPARATORS else " "
