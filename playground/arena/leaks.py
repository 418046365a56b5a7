"""Whether an answer that was shown blind gives its model away all the same.

`masking` hides names while they are written, so it must be sure of what it hides, and of where it ends. Here the whole
answer is there, and only the names of two models are looked for, so that it can be done more loosely: letters with
anything or a few words between them ("the letters P, I and P"), names split, spelled out aloud, backwards, with digits
for letters, or down the beginnings of the lines. A name that is an everyday word, or a company's, counts only in a
sentence about a model or about oneself: who tells a fable, or recommends a search engine, gives nothing away.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import lru_cache

from playground.arena.masking import fold_each, is_disguised, letter_classes
from playground.arena.names import is_company, is_everyday, spoken

_DIGITS = {"b": "[b68]", "g": "[g69]", "q": "[q9]", "z": "[z2]", "w": r"(?:w|vv|uu|\\/\\/)", "u": "[uv]"}
_FEWEST_SPLIT = 5  # shorter names are too often the end of one word and the beginning of the next
_FEWEST_BACKWARDS = 4
_FEWEST_DOWN = 4  # so many lines begin with the letters of a shorter name by chance, unless there are no others
_NEAR = r"(?:[^\w\s]|_){0,12}"
_FAR = r"[\W_]{0,12}"
# Between letters that are told one after the other: signs that are not those of a formula, and a few words of telling.
_TELLING = (
    r"and|then|finally|lastly|followed|by|letters?|the|first|second|third|fourth|fifth|sixth|seventh|eighth|last|final|next|one|is|"
    r"are|comes|an?|another|again|capital|lowercase|uppercase|small|dash|hyphen|dot|space|plus|comma|number|it|its|"
    r"va|roi|chu|cai|la|tiep|theo|den|thu|nhat|hai|ba|tu|nam|sau|bay|tam|cuoi|cung|hoa|thuong|gach|noi|cham|phay|sang|"
    r"(?:as\s+in|as|for|like|nhu|trong)\s+[\"'“‘*]?\w{2,15}|\d{1,2}"
)
_APART = rf"(?:[^\w=+\[\]{{}}<>;]|_){{1,12}}(?:(?:{_TELLING})[\W_]{{1,4}}){{0,7}}"

_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?](?=\S)[^.!?\n]+)*")
_MODEL = re.compile(r"\b(?:models?|assistants?|chatbots?|bots?|llms?|ai|mo\s+hinh|tro\s+ly)\b")
_MYSELF = re.compile(
    r"\b(?:i\s+am|i\s?['’]\s?m|my\s+name|call\s+me|toi\s+la|(?:minh|em)\s+la|ten\s+(?:cua\s+)?(?:toi|minh|em))\b"
)
_ME = re.compile(r"\b(?:i|me|my|we|our|toi|minh|em)\b")
_MADE = re.compile(
    r"\b(?:made|makers?|created|creators?|developed|developers?|built|trained|designed|tao\s+ra|phat\s+trien|huan\s+luyen)\b"
)


def gives_away(text: str, names: Collection[str]) -> bool:
    """Whether one of `names` (folded words) can be made out in a text as it was shown."""
    folded = fold_each(text)
    initials = _line_initials(folded)
    return any(_is_told(name, text, folded) or _is_written_down(name, initials) for name in names)


def _is_told(name: str, text: str, folded: str) -> bool:
    return any(
        match.group() != _letters(name) or _is_meant(name, text, folded, match)
        for match in _hidden_forms(name).finditer(folded)
        if sum(map(str.isalpha, match.group())) * 2 > len(_letters(name))  # not a number that looks like it
    )


def _is_meant(name: str, text: str, folded: str, match: re.Match[str]) -> bool:
    """Whether a name that stands there plainly is that of a model, or of its maker."""
    if not (is_everyday(name) or is_company(name)) or is_disguised(text[match.start() : match.end()], match.group()):
        return True
    if not text[match.start()].isupper():
        return False
    around = next((one.group() for one in _SENTENCE.finditer(folded) if one.start() <= match.start() < one.end()), "")
    if is_company(name):
        return _ME.search(around) is not None and _MADE.search(around) is not None
    return _MODEL.search(around) is not None or _MYSELF.search(around) is not None


@lru_cache(maxsize=256)
def _hidden_forms(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(_forms(name))})(?![^\W\d_])")


def _forms(name: str) -> Iterator[str]:
    letters = _letters(name)
    backwards = [letters[::-1]] if len(letters) >= _FEWEST_BACKWARDS and letters != letters[::-1] else []
    for word in [letters, *backwards]:
        classes = [_DIGITS.get(letter, one) for letter, one in zip(word, letter_classes(word), strict=True)]
        yield _NEAR.join(classes)
        if len(word) >= _FEWEST_SPLIT:
            yield _FAR.join(classes)
        yield _APART.join(_said(letter, one) for letter, one in zip(word, classes, strict=True))


def _said(letter: str, written: str) -> str:
    names = [r"[\s-]+".join(name.split()) for name in spoken(letter)]
    return f"(?:{'|'.join([*names, written])})"


def _letters(name: str) -> str:
    return "".join(name.split())


def _line_initials(folded: str) -> str:
    """The first letter of every line that has one."""
    firsts = (next((char for char in line if char.isalpha()), "") for line in folded.splitlines())
    return "".join(firsts)


def _is_written_down(name: str, initials: str) -> bool:
    letters = _letters(name)
    return letters == initials or (len(letters) >= _FEWEST_DOWN and letters in initials)
