"""Many patterns looked for at once: each is tried only where a text begins as its matches begin.

How the matches of a pattern can begin is read off the pattern itself: "(?:ignor(?:e|ing)|skip) all" begins with "ignor"
or "skip". One search finds all such beginnings of all patterns, and a pattern is tried at those of its own. The result
is that of `finditer` for every pattern, at a small part of the cost, because most texts begin few of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from playground.moderation.lexicon import trie_pattern

_LONGEST = 12  # a longer beginning tells hardly more
_MOST = 4000  # beginnings of one pattern; with more of them they are cut short
_WORD = re.compile(r"\w+")
_ZERO_WIDTH = {"AT", "ASSERT", "ASSERT_NOT"}
_REPEATS = {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}


@dataclass(slots=True)
class _Paths:
    """Beginnings under construction: those that go on (`going`), and those that end where anything may follow."""

    going: set[str]
    cut: set[str] = field(default_factory=set)

    def stop(self) -> None:
        """Nothing is known of what follows."""
        self.cut |= self.going
        self.going = set()

    def grow(self, chars: Iterable[str]) -> None:
        """One more character: any of these."""
        self.going = {path + char for path in self.going for char in chars}
        long = {path for path in self.going if len(path) >= _LONGEST}
        self.cut |= long
        self.going -= long
        if len(self.going) > _MOST:
            self.stop()


def openings(pattern: re.Pattern[str]) -> frozenset[str] | None:
    """Beginnings of which every match of `pattern` has one; None when matches may begin with anything.

    A beginning is the first characters of a word, or one character that is none of a word's.
    """
    if pattern.flags & re.IGNORECASE:
        return None
    paths = _Paths({""})
    # The standard library's own parser has no public name since Python 3.11.
    _follow(import_module("re._parser").parse(pattern.pattern, pattern.flags), paths)
    paths.stop()
    if "" in paths.cut:
        return None
    begun = ((_WORD.match(path), path) for path in paths.cut)
    return frozenset(word[0] if word else path[0] for word, path in begun)


def _follow(items: Iterable[tuple[Any, Any]], paths: _Paths) -> None:
    """Let the paths grow along a sequence of the parser's items."""
    for kind, value in items:
        if not paths.going:
            return
        name = str(kind)
        if name == "LITERAL":
            paths.grow(chr(value))
        elif name == "IN" and all(str(part) == "LITERAL" for part, _ in value):
            paths.grow([chr(code) for _, code in value])
        elif name == "SUBPATTERN" and not value[1] & re.IGNORECASE:
            _follow(value[-1], paths)
        elif name == "BRANCH":
            _fork(value[1], paths)
        elif name in _REPEATS:
            _repeat(value, paths)
        elif name not in _ZERO_WIDTH:
            paths.stop()


def _fork(branches: Iterable[Any], paths: _Paths) -> None:
    ways = [_Paths(set(paths.going)) for _ in branches]
    for branch, way in zip(branches, ways, strict=True):
        _follow(branch, way)
    paths.cut |= {path for way in ways for path in way.cut}
    paths.going = {path for way in ways for path in way.going}


def _repeat(repeat: tuple[int, int, Any], paths: _Paths) -> None:
    """After the first repetition there may be another one or what follows, unless there is only one."""
    least, most, body = repeat
    once = _Paths(set(paths.going))
    _follow(body, once)
    if most > 1:
        once.stop()
    paths.cut |= once.cut
    paths.going = once.going | (paths.going if least == 0 else set())


class PatternIndex:
    """Patterns that begin where a word begins, or with a character that is none of a word's."""

    def __init__(self, patterns: Sequence[re.Pattern[str]]) -> None:
        self._patterns = tuple(patterns)
        begin = [openings(pattern) for pattern in patterns]
        self._anywhere = tuple(number for number, found in enumerate(begin) if found is None)
        keys = sorted({key for found in begin if found for key in found})
        words = [key for key in keys if _WORD.match(key)]
        signs = "".join(re.escape(key) for key in keys if not _WORD.match(key))
        self._start = re.compile(rf"(?<!\w){trie_pattern(words)}" + (f"|[{signs}]" if signs else ""))
        self._tried = {
            key: tuple(number for number, found in enumerate(begin) if found and _any_begins(key, found))
            for key in keys
        }

    def matches(self, text: str) -> Iterator[tuple[int, re.Match[str]]]:
        """The matches of every pattern as `finditer` gives them, with the pattern's number; in no order."""
        for number in self._anywhere:
            for match in self._patterns[number].finditer(text):
                yield number, match
        free = [0] * len(self._patterns)  # where each may match again: matches of one pattern do not overlap
        for start in self._start.finditer(text):
            place = start.start()
            for number in self._tried[start[0]]:
                found = self._patterns[number].match(text, place) if place >= free[number] else None
                if found:
                    free[number] = found.end()
                    yield number, found


def _any_begins(key: str, found: frozenset[str]) -> bool:
    """Whether one of `found` stands wherever `key` stands: the search finds the longest."""
    return any(key[:end] in found for end in range(1, len(key) + 1))
