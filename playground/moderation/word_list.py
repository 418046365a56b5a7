"""Listed words and phrases, found on word boundaries in spite of simple disguises.

Plain text pays only for a set intersection: the exact patterns run where a listed word is present. Besides plain words
three disguises are read: symbols and digits as letters ("sh1t", "f*ck", "f.u.c.k"), letters repeated ("fuuuck"), and
words spelled out ("f u c k"). Whole words only, so "Scunthorpe" and "assess" stay what they are. Where a text has marks
of markdown or HTML it is read a second time without them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from playground.domain import Finding
from playground.moderation.contract import Scope
from playground.moderation.lexicon import Entry, Lexicon
from playground.moderation.markup import LONG_MARKS, REACH, Seen, without_marks, without_open_marks
from playground.moderation.normaliser import fold_accents, normalise

SYMBOLS = r"@$!*+|.'’_\-~·•^"
_PART = re.compile(r"[^\W_]+")
_ODD = re.compile(rf"(?<![^\W_])[^\W\d_]*+(?:[{SYMBOLS}\d]{{1,3}}+[^\W\d_]*+)+")
# Ordinary text has few of these: a symbol or digit before or inside of a chunk, or one that ends it as a letter.
_ODD_HINT = re.compile(rf"[{SYMBOLS}\d](?:(?=[^\W_])|(?<=[^\W\d_][@$!*+|\d]))")
_REPEAT = re.compile(r"([^\W\d_])\1\1")
_RUN = re.compile(r"(\w)\1{2,}")
_REPEATED = re.compile(r"(?<![^\W_])[^\W_]*?([^\W\d_])\1\1[^\W_]*")
_SPELLED = re.compile(r"(?<![^\W_])[^\W\d_](?:(?:[^\w]{1,2}|_)[^\W\d_](?![^\W_])){2,}")
_TRIPLE = re.compile(r"(?<![^\W_])[^\W\d_](?:[^\w]{1,2}|_)[^\W\d_](?:[^\w]{1,2}|_)[^\W\d_](?![^\W_])")
# Read from the end backwards: what may still be the inside of a chunk, and a word that is being spelled out.
_CHUNK_BACKWARDS = re.compile(rf"[\w{SYMBOLS}]*")
_SPELLED_BACKWARDS = re.compile(r"(?:(?:[^\w]{0,2}|_)[^\W\d_](?=[^\w]|_|\Z))*")
_GAPS = re.compile(r"[\s\-_*`|~'’]+")
_LEET = (str.maketrans("@43!1|0$57+", "aaeiiiosstt"), str.maketrans("@43!1|0$57+", "aaelllosstt"))
_SEPARATORS = str.maketrans("", "", ".'’_-~·•^")
_LONGEST_CHUNK = 64
_TAIL = 128
_NEAR = 256  # so far back anything reaches that has no long marks in it

Match = tuple[int, int, Entry, str]


class WordListDetector:
    """Finds the entries of the lexicons; a finding's explanation is "word_list:" and the language of the list."""

    name = "words"
    reach = 2 * REACH
    prompt = True
    scope: Scope = "span"

    def __init__(self, lexicons: Sequence[Lexicon]) -> None:
        self._lexicons = tuple(lexicons)
        self.version = "+".join(f"{lexicon.language}-{lexicon.version}" for lexicon in lexicons)

    def scan(self, text: str) -> list[Finding]:
        """Every listed word or phrase; of several readings of one place the highest score per category."""
        view = normalise(text)
        found: dict[tuple[int, int, str], Finding] = {}
        readings: list[Seen] = [view, *without_marks(view, lines=True)]
        for seen in readings:
            for start, end, entry, language in self._matches(seen.text.lower()):
                span = seen.span(start, end)
                key = (*span, entry.category)
                far = seen is not view and span[1] - span[0] > REACH
                if not far and (key not in found or found[key].score < entry.score):
                    explanation = f"word_list:{language}"
                    found[key] = Finding(entry.category, entry.score, span, self.name, self.version, explanation)
        return list(found.values())

    def unsettled(self, text: str) -> int:
        """From the start of the word, or listed phrase, that may still be going on, to the end of `text`."""
        tail = text[-self.reach :]
        if not any(mark in tail for mark in LONG_MARKS):
            tail = tail[-_NEAR:]
        view = normalise(tail)
        seen = without_open_marks(view, lines=True)
        begun = [self._begun(view), self._begun(seen) if seen is not view else None]
        places = [place for place in begun if place is not None]
        if not places and view.text:
            places.append(view.span(0, len(view.text))[1])  # invisible characters wait for what they belong to
        return len(tail) - min(places, default=len(tail))

    def _begun(self, seen: Seen) -> int | None:
        """Where the word or phrase begins, in the text as given, that may still be going on; None if there is none."""
        last = seen.text[-_TAIL:].lower()
        backwards = last[::-1]
        held = max(
            _ended(_CHUNK_BACKWARDS, backwards),
            _ended(_SPELLED_BACKWARDS, backwards),
            *(_phrase_length(last, lexicon) for lexicon in self._lexicons),
        )
        return seen.span(len(seen.text) - held, len(seen.text))[0] if held else None

    def _matches(self, view: str) -> Iterator[Match]:
        folded = fold_accents(view)
        odd = _ODD_HINT.search(view) is not None
        repeated = _REPEAT.search(view) is not None
        spelled = _TRIPLE.search(view) is not None
        for lexicon in self._lexicons:
            shown = folded if lexicon.folds else view
            for match in _plain(lexicon, shown):
                start, end, *_ = match
                if end - start >= 4 or shown[start:end] == view[start:end]:
                    yield match
            if odd:
                yield from _odd(lexicon, shown)
            if repeated:
                yield from _repeated(lexicon, shown)
            if spelled:
                yield from _spelled(lexicon, shown)


def _ended(pattern: re.Pattern[str], backwards: str) -> int:
    match = pattern.match(backwards)
    return match.end() if match else 0


def _phrase_length(last: str, lexicon: Lexicon) -> int:
    """How many characters at the end may be the beginning of a listed phrase."""
    shown = fold_accents(last) if lexicon.folds else last
    joined = ""
    open_words = 0
    for count, word in enumerate(_PART.findall(shown)[: -lexicon.longest_phrase - 1 : -1], 1):
        joined = f"{word} {joined}" if joined else word
        open_words = count if joined in lexicon.prefixes else open_words
    if not open_words:
        return 0
    for match in list(_PART.finditer(shown))[-open_words:]:
        if _GAPS.sub(" ", shown[match.start() :]) in lexicon.prefixes:
            return len(last) - match.start()
    return 0


def _plain(lexicon: Lexicon, view: str) -> Iterator[Match]:
    if lexicon.signals.isdisjoint(_PART.findall(view)):
        return
    for match in lexicon.words.finditer(view):
        yield *match.span(), lexicon.entries[match[0]], lexicon.language
    for match in lexicon.phrases.finditer(view):
        yield *match.span(1), lexicon.entries[_GAPS.sub(" ", match[1])], lexicon.language


def _odd(lexicon: Lexicon, view: str) -> Iterator[Match]:
    """Chunks with symbols or digits in them, read as letters."""
    for match in _ODD.finditer(view):
        chunk = _trimmed(match[0])
        if len(chunk) > _LONGEST_CHUNK or chunk.isalpha() or chunk.isdigit():
            continue
        entry = _read_odd(lexicon, chunk)
        if entry:
            yield match.start(), match.start() + len(chunk), entry, lexicon.language


def _trimmed(chunk: str) -> str:
    """A chunk without what follows its last letter or digit, except symbols that may be a letter themselves."""
    core = chunk.rstrip("@$!*+|.'’_-~·•^")
    behind = chunk[len(core) :]
    return core + behind[: len(behind) - len(behind.lstrip("$!*"))]


def _read_odd(lexicon: Lexicon, chunk: str) -> Entry | None:
    bare = chunk.translate(_SEPARATORS)
    if "*" in bare.strip("*"):
        return _unmasked(lexicon, bare.strip("*"))
    if not bare.isascii() and bare.isalpha():  # Vietnamese abbreviations: "đ.m"
        return lexicon.entries.get(bare) or _squeezed(lexicon, bare)
    shortest = 3 if bare.isalpha() or any(char in bare for char in "@$!") else 4
    if len(bare) < shortest or not any(char.isalpha() for char in bare):
        return None
    for reading in (bare, *(bare.translate(table) for table in _LEET), bare.rstrip("!*+|")):
        entry = lexicon.entries.get(reading) or _squeezed(lexicon, reading)
        if entry and (entry.score >= 0.5 or len(entry.text) >= 4):
            return entry
    return None


def _unmasked(lexicon: Lexicon, masked: str) -> Entry | None:
    """An entry of four letters or more whose hidden letters are at most half of it, the first one shown: "f**k"."""
    stars = masked.count("*")
    if len(masked) < 4 or masked[0] == "*" or stars * 2 > len(masked):
        return None
    pattern = re.compile("".join("[^\\W_]" if char == "*" else re.escape(char) for char in masked))
    fits = (entry for text, entry in lexicon.entries.items() if len(text) == len(masked) and pattern.fullmatch(text))
    return max(fits, key=lambda entry: entry.score, default=None)


def _repeated(lexicon: Lexicon, view: str) -> Iterator[Match]:
    for match in _REPEATED.finditer(view):
        entry = _squeezed(lexicon, match[0]) if len(match[0]) <= _LONGEST_CHUNK else None
        if entry:
            yield *match.span(), entry, lexicon.language


def _squeezed(lexicon: Lexicon, word: str) -> Entry | None:
    """The entry that `word` is with some letters repeated more often than they should be (three times or more)."""
    if not _REPEAT.search(word):
        return None
    once = _RUN.sub(lambda run: run[1], word)
    return lexicon.entries.get(once) or lexicon.entries.get(_RUN.sub(lambda run: run[1] * 2, word))


def _spelled(lexicon: Lexicon, view: str) -> Iterator[Match]:
    for match in _SPELLED.finditer(view):
        places = [match.start() + part.start() for part in _PART.finditer(match[0])]
        letters = "".join(view[place] for place in places)
        entry = lexicon.entries.get(letters)
        if entry and len(letters) >= 3 and entry.score >= 0.5:
            yield match.start(), match.end(), entry, lexicon.language
            continue
        for hidden in lexicon.hidden_pattern.finditer(letters):
            yield places[hidden.start()], places[hidden.end() - 1] + 1, lexicon.entries[hidden[0]], lexicon.language
