"""Where each character of a prompt comes from: the template, or one of the turns.

The template is rendered with marks around what people wrote: characters that no text has. What it makes of a turn
(trimmed, moved, joined to another) then tells by itself whose it is. A rendering with marks must equal the plain one
without them, or it is not believed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from playground.engines.contract import Turn

# Code points that are no characters and never will be. The tokenizer lets none of them through.
_OPEN, _CLOSE = "\ufdd1", "\ufdd2"
_DIGITS = "\ufde0\ufde1\ufde2\ufde3\ufde4\ufde5\ufde6\ufde7\ufde8\ufde9"
_MARK = re.compile(f"{_OPEN}([{_DIGITS}]+){_CLOSE}|{_CLOSE}")
Render = Callable[[Sequence[Turn]], str]


def trace(turns: Sequence[Turn], render: Render) -> tuple[str, list[int | None]]:
    """The rendered prompt, and for each of its characters the index of its turn, or None for the template's own.

    Raises what `render` raises.
    """
    plain = render(turns)
    for mark in (_around, _within):
        text, origins = _unmarked(render([mark(turn, at) for at, turn in enumerate(turns)]))
        if text == plain:
            return plain, origins
    return plain, _found(plain, turns)


def _opening(at: int) -> str:
    return _OPEN + "".join(_DIGITS[int(digit)] for digit in str(at)) + _CLOSE


def _around(turn: Turn, at: int) -> Turn:
    return Turn(turn.role, f"{_opening(at)}{turn.content}{_CLOSE}" if turn.content else "")


def _within(turn: Turn, at: int) -> Turn:
    """Marks inside the outer white space, for templates that trim it."""
    core = turn.content.strip()
    if not core:
        return turn
    start = turn.content.index(core)
    return Turn(turn.role, f"{turn.content[:start]}{_opening(at)}{core}{_CLOSE}{turn.content[start + len(core) :]}")


def _unmarked(marked: str) -> tuple[str, list[int | None]]:
    text: list[str] = []
    origins: list[int | None] = []
    turn: int | None = None
    done = 0
    for mark in _MARK.finditer(marked):
        piece = marked[done : mark.start()]
        text.append(piece)
        origins += [turn] * len(piece)
        turn = int("".join(str(_DIGITS.index(digit)) for digit in mark[1])) if mark[1] else None
        done = mark.end()
    text.append(marked[done:])
    return "".join(text), origins + [turn] * (len(marked) - done)


def _found(plain: str, turns: Sequence[Turn]) -> list[int | None]:
    """For a template that looks into what it is given: each turn's words, where they stand after those before them."""
    origins: list[int | None] = [None] * len(plain)
    done = 0
    for at, turn in enumerate(turns):
        core = turn.content.strip()
        start = plain.find(core, done) if core else -1
        if start >= 0:
            done = start + len(core)
            origins[start:done] = [at] * len(core)
    return origins
