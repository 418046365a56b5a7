"""Text as the reader of a rendered page sees it: the marks of markdown and HTML gone, offsets kept.

"`burn` in **hell**" is read as "burn in hell" here. This is one more way to read a text, beside the text as it stands:
what looks like a mark may be none, so nothing is ever looked for in this reading alone. Marks that hide more than a few
hundred characters are left as they are, so that a stream need not wait for long.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from playground.moderation.normaliser import normalise

REACH = 512
"""How many characters of a text one finding may cover, marks included, to be read across marks."""
LONG_MARKS = ("<", "](", "][")
"""What a mark of more than a few characters begins with."""

_BLOCKS = "br|p|div|li|ul|ol|dl|dt|dd|table|tr|td|th|hr|h[1-6]|blockquote|pre|center"
_COMMENT = r"<!--(?:[^-]|-(?!->)){0,240}"
_TAG = r"</?[a-z][^<>]{0,120}"
_TARGET, _LABEL = r"\([^()\n]{0,240}", r"\[[^\]\n]{0,80}"
_PREFIX = r"(?:(?:>|[-+*•‣◦](?=\s)|#{1,6}(?=\s)|[0-9]{1,3}[.)](?=\s))[ \t]{0,4})"
# Every branch begins with a letter of its own: that is what a search of `re` is quick with.
_INLINE = (
    rf"{_COMMENT}-->|{_TAG}>|\*(?:\*{{1,2}}|(?![0-9])|(?<![0-9]\*))|``*|~~|\[(?<![^\W_]\[)|\](?:{_TARGET}\)|{_LABEL}\])?"
    r"|&(?:#x?[0-9a-f]{1,7}|[a-z]{2,10});|\\(?=[!-/:-@\[-`{-~\r\n])"
)
_LINES = (
    r"\n[ \t>]{0,12}(?:`{3,}|~{3,})[^\n`]{0,40}(?=\n)|\n[ \t>]{0,12}[|:=-][-:=| \t]{1,200}(?=\n)"
    rf"|\n[ \t]{{0,12}}{_PREFIX}{{1,6}}|\|"
)
_MARKS = {
    False: re.compile(_INLINE, re.IGNORECASE),
    True: re.compile(f"{_LINES}|{_INLINE}", re.IGNORECASE),
}
_BLOCK = re.compile(rf"</?(?:{_BLOCKS})[\s/>]", re.IGNORECASE)
_INSIDE = re.compile(r"(?<=[^\W_])<[!/a-z]", re.IGNORECASE)
# What may still become a mark when more text follows.
_OPEN_INLINE = rf"{_COMMENT}|<(?:!-?|/)?|{_TAG}|\](?:{_TARGET}|{_LABEL})?|&(?:#x?[0-9a-f]{{0,7}}|[a-z]{{0,10}})|\\|~|\*"
_OPEN_LINES = (
    r"\n[ \t>]{0,12}(?:(?:`{1,}|~{1,})[^\n`]{0,40}|[|:=-][-:=| \t]{0,200})"
    r"|\n[ \t]{0,12}(?:(?:>|[-+*•‣◦]|#{1,6}|[0-9]{1,3}[.)]?)[ \t]{0,4}){0,6}"
)
_OPEN = {
    False: re.compile(rf"(?:{_OPEN_INLINE})\Z", re.IGNORECASE),
    True: re.compile(rf"(?:{_OPEN_LINES}|{_OPEN_INLINE})\Z", re.IGNORECASE),
}


class Seen(Protocol):
    """A reading of a text: what to match in, and where it stands in the text as given."""

    @property
    def text(self) -> str: ...

    def span(self, start: int, end: int) -> tuple[int, int]: ...


@dataclass(frozen=True, slots=True)
class Rewritten:
    """`below` with parts replaced by one character or none.

    From `places[i]` on `text` runs side by side with that of `below` from `origins[i]` on; `ends` tells where below a
    replaced character ends.
    """

    text: str
    below: Seen
    places: tuple[int, ...]
    origins: tuple[int, ...]
    ends: dict[int, int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The half-open span, in the text as given, of what is seen at `start` to `end`; marks around it excluded."""
        last = end - 1
        return self.below.span(self._origin(start), self.ends.get(last, self._origin(last) + 1))

    def _origin(self, place: int) -> int:
        at = bisect_right(self.places, place) - 1
        return self.origins[at] + place - self.places[at]


def rewrite(below: Seen, changes: Iterable[tuple[int, int, str]]) -> Rewritten | None:
    """`below` with each half-open span, in order, replaced by its character ("": by nothing); None without any."""
    pieces: list[str] = []
    places, origins, ends = [0], [0], {}
    done = written = 0
    for start, end, char in changes:
        pieces += (below.text[done:start], char)
        written += start - done
        if char:
            places.append(written)
            origins.append(start)
            ends[written] = end
            written += 1
        places.append(written)
        origins.append(end)
        done = end
    if not done:
        return None
    pieces.append(below.text[done:])
    return Rewritten("".join(pieces), below, tuple(places), tuple(origins), ends)


def without_marks(view: Seen, *, lines: bool) -> Iterator[Rewritten]:
    """`view` as it is read once rendered; nothing where that makes no difference.

    With `lines`, marks that part lines and cells count as well: quotes, bullets, headings, fences, tables. Where tags
    or comments stand inside of words, there is a second reading in which they part the words.
    """
    marks = list(_MARKS[lines].finditer(view.text))
    seen = rewrite(view, map(_change, marks))
    if seen:
        yield seen
        if _INSIDE.search(view.text):
            parted = rewrite(view, (_parting(mark) for mark in marks))
            yield from (parted,) if parted else ()


def without_open_marks(view: Seen, *, lines: bool) -> Seen:
    """As `without_marks`, for a text that is going on: a mark that is not complete yet is taken for one."""
    marks = [_change(match) for match in _MARKS[lines].finditer(view.text)]
    going = _OPEN[lines].search(view.text)
    if going:
        # A whole mark that reaches into the open one is a part of it: "**" may become "***".
        start = min([going.start(), *(first for first, end, _ in marks if end > going.start())])
        marks = [mark for mark in marks if mark[1] <= start]
        marks.append((start, len(view.text), "\n" if going[0].startswith("\n") else ""))
    return rewrite(view, marks) or view


def _change(match: re.Match[str]) -> tuple[int, int, str]:
    mark = match[0]
    start, end = match.span()
    match mark[0]:
        case "\n":
            return start + 1, end, ""
        case "|":
            return start, end, " "
        case "<":
            return start, end, " " if _BLOCK.match(mark) else ""
        case "&":
            char = normalise(html.unescape(mark)).text
            return (start, end, char) if len(char) <= 1 else (start, start + 1, "&")
        case _:
            return start, end, ""


def _parting(match: re.Match[str]) -> tuple[int, int, str]:
    return (*match.span(), " ") if match[0][0] == "<" else _change(match)
