"""Hides what would tell who answers in a blind battle, in a text that may still grow.

Names are found however they are written: case, accents, letters from other alphabets that look alike, digits for
letters, and up to three characters of spacing, punctuation or markup between letters. A version after a name goes with
it. A name that is an everyday word, too ("falcon"), is hidden where it stands as a name: after "I am" or "the model",
before a version, with a capital within a sentence, spelled out. Whoever describes itself ("I am X, made by Y", "tôi là
X do Y tạo ra") has X and Y hidden although nobody knows them. What stands at the end of an unfinished text and could
still become a name is withheld, so that what was shown once stays as it was, and never was part of a name.

What is hidden depends on the text and on the catalogue, never on who answers: hiding must not tell it. What gets past
this is what `leaks` looks for.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import regex

from playground.arena.names import is_everyday
from playground.text import fold

MASK = "▇▇▇"
_GAP = r"[\W_]{0,3}"
_LOOKS = {"o": "[o0]", "e": "[e3]", "i": "[i1!|]", "a": "[a4@]", "l": "[l1|]", "s": "[s5$]", "t": "[t7]"}
_VERSION = r"(?:[\s._\-]{0,2}v?\d[\w.]{0,8})?(?:[\s._\-]{0,2}\d[\w.]{0,4}b\b)?"
_TAIL = 4  # characters after which a name has surely ended: a gap of two, a letter v, a digit
_INSIDE = 4  # names this long are found inside words too ("TinyLlama", "Qwens")
_RUN = 24
_NO_LETTERS = frozenset({"Mn", "Mc", "Me", "Cf", "Cc", "Co", "Cn", "Lm"})  # marks and the like: nothing between letters
_RUNNING = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_NEVER = r"(?!)"
_LONGEST = 120  # no name with its gaps and version is longer
_AHEAD = 24  # how much of what follows an everyday word decides whether it is a name
# Letters of other alphabets, and of mathematics, that look like ours.
_ALIKE = str.maketrans("аеорсхуіӏјѕԁԛԝһгкмтпνοτικαρεηυωօոսհցզıɡɑ", "aeopcxyiljsdqwhrkmtnvotikapenuwonuhgqiga")
# Letters that are told by their names only: small capitals, flags, white on black.
_LETTER = re.compile(r"(?:LATIN LETTER SMALL CAPITAL|REGIONAL INDICATOR SYMBOL LETTER|NEGATIVE [A-Z ]+ LETTER) ([A-Z])")
_WORD = r"[\w'’.\-]{1,24}"
_GAPS = r"[\s*_`\"“”']{1,4}"
_AFTER = r"""(?=[\s*_`"“:])[\s*_`"“:]{1,4}"""
# What comes before a name that somebody gives oneself, and before that of one's maker; on folded text.
_CUES = (
    regex.compile(
        rf"""\b(?:i\s+am|i\s?['’]?\s?m|my\s+name\s+is|my\s+name['’]s|call\s+me|known\s+as|this\s+is|name\s*:
          |(?:speaking|talking|chatting)\s+(?:to|with)|(?:model|assistant|ai|chatbot)\s+(?:from|by|of|named|called)
          |(?:toi|minh|em|to)\s+(?:la|ten\s+la|ten)|ten\s+(?:cua\s+)?(?:toi|minh|em)\s+la|goi\s+(?:toi|minh|em)\s+la
          |ten\s*:|(?:duoc|boi)(?:\s+cong\s+ty|\s+nhom)?){_AFTER}""",
        regex.VERBOSE,
    ),
    regex.compile(
        rf"""\b(?:(?:i|i['’]m|i['’]ve|me|my|we)\b(?:[^.!?\n]|\.(?=\S)){{0,60}}\b(?:made|created|developed|built|trained|designed
            |released|maintained|provided)\s+(?:by|at|from)(?:\s+the)?
          |(?:toi|minh|em|to)\s+(?:la|duoc)\b(?:[^.!?\n]|\.(?=\S)){{0,60}}?\b(?:do|boi|cua|tu|ten|ten\s+la)
          |(?:tro\s+ly|mo\s+hinh)(?:[^.!?\n]|\.(?=\S)){{0,30}}?\b(?:cua|tu|do|boi|ten|ten\s+la)){_AFTER}""",
        regex.VERBOSE,
    ),
)
_CLAIM = 76  # three words with what is between them
_CLAIMED = regex.compile(rf"{_WORD}(?:{_GAPS}{_WORD}){{0,2}}")
_NO_NAMES = frozenset(
    {
        "a",
        "ai",
        "an",
        "glad",
        "happy",
        "here",
        "i",
        "it",
        "just",
        "llm",
        "my",
        "not",
        "only",
        "so",
        "sorry",
        "that",
        "the",
    }
    | {"this", "very", "you", "your", "chỉ", "là", "một", "rất", "không"}
)


_MODEL_NOUNS = r"(?:models?|assistant|chatbot|bot|llm|mo\s+hinh|tro\s+ly)"
# Around an everyday word, in folded text: what makes it the writer's own name, or, with a capital, any name.
_ITSELF = re.compile(
    rf"""\b(?:i\s+am|i\s?['’]?\s?m|my\s+name\s+is|my\s+name['’]s|call\s+me|go(?:es)?\s+by|it['’]?s\s+me
      |(?:speaking|talking|chatting)\s+(?:to|with)|{_MODEL_NOUNS}\s+(?:named|called|ten(?:\s+la)?)
      |(?:toi|minh|em|to)\s+(?:la|ten\s+la|ten)|ten\s+(?:cua\s+)?(?:toi|minh|em)\s+la|goi\s+(?:toi|minh|em)\s+la)
      [\s*_`"“:,]{{1,12}}\Z""",
    re.VERBOSE,
)
_ENDED = re.compile(r"""[\s*_`"”]*(?:[.,!?;:)\n]|\Z|(?:and|from|made|by|please|here|nhe|day|do|cua|va|xin)\b)""")
_WITHIN = re.compile(r"""(?:[^\W_]|,)[\s*_`"“'(]{1,12}\Z""")
_BEGUN = re.compile(r"""(?:\A|[.!?:\n])[\s*_`"“'(]*\Z""")
_ALONE = re.compile(r"""[\s*_`"”]*(?:[.!]|\Z)""")
_HERE = re.compile(
    rf"""[\s*_`"”,-]{{1,3}}(?:here|speaking|says|xin\s+chao|day|nghe|chat|instruct|(?:language\s+)?{_MODEL_NOUNS})\b"""
)


def mask(text: str, names: Collection[str], *, complete: bool) -> str:
    """`text` with `MASK` for every name; of an unfinished text without the end that could still become one.

    For any beginning of a text the result is a beginning of the whole text's result. `names` are folded words.
    """
    patterns = _patterns(frozenset(names))
    folded = fold_each(text)
    end = len(text) if complete else _settled(folded, text, patterns)
    found = [
        span
        for span in (*_named(folded, patterns), *_by_context(folded, text, patterns), *_claims(folded, text))
        if span[0] < end
    ]
    shown, at = [], 0
    for start, stop in _joined(found):
        shown += [text[at:start], MASK]
        at = stop
    return "".join([*shown, text[at:end]])


@dataclass(frozen=True, slots=True)
class _Patterns:
    """`spelled` finds names that are words, `inside` those within one, `everyday` words that may be names.

    `growing` finds words, of either kind, in unfinished texts.
    """

    spelled: re.Pattern[str]
    inside: re.Pattern[str]
    everyday: re.Pattern[str]
    growing: regex.Pattern[str]


@lru_cache(maxsize=64)
def _patterns(names: frozenset[str]) -> _Patterns:
    ordered = sorted(names, key=lambda one: (-len(one), one))
    certain = [name for name in ordered if not is_everyday(name)]
    spelled = [_GAP.join(letter_classes(name)) for name in certain]
    inside = ["".join(letter_classes(name)) for name in certain if len(name) >= _INSIDE]
    everyday = [form for name in ordered if is_everyday(name) for form in _everyday_forms(name)]
    return _Patterns(
        re.compile(_word(spelled)),
        re.compile(rf"(?:{'|'.join(inside) or _NEVER})[a-z0-9]{{0,24}}{_VERSION}"),
        re.compile(_word(everyday)),
        regex.compile(_word([*spelled, *everyday])),
    )


def letter_classes(name: str) -> list[str]:
    """A pattern for each letter of a name, with the digits and signs that are written for it."""
    return [_LOOKS.get(letter, re.escape(letter)) for letter in name if not letter.isspace()]


def _everyday_forms(name: str) -> tuple[str, str]:
    """As a word, and with every letter apart: two halves are more often the end of one word and another one."""
    letters = letter_classes(name)
    return "".join(letters), r"[\W_]{1,3}".join(letters)


def _word(forms: Sequence[str]) -> str:
    return rf"(?<![^\W_])(?P<name>{'|'.join(forms) or _NEVER})(?![^\W\d_])(?P<version>{_VERSION})"


def _named(folded: str, patterns: _Patterns) -> Iterator[tuple[int, int]]:
    for match in patterns.spelled.finditer(folded):
        yield match.span()
    for match in patterns.inside.finditer(folded):
        yield _word_start(folded, match.start()), match.end()


def _by_context(folded: str, text: str, patterns: _Patterns) -> Iterator[tuple[int, int]]:
    for match in patterns.everyday.finditer(folded):
        if _stands_as_name(folded, text, match):
            yield match.span()


def _stands_as_name(folded: str, text: str, match: re.Match[str]) -> bool:
    """Whether an everyday word is a name where it stands, as far as can be told from a few words around it.

    It always is one with its letters apart, or with digits or letters of other alphabets for its own.
    """
    start, stop = match.span("name")
    if not match["name"].isalpha() or is_disguised(text[start:stop], match["name"]):
        return True
    before, after = folded[max(0, start - _LONGEST) : start], folded[stop : stop + _AHEAD]
    if _ITSELF.search(before) and _ENDED.match(after):
        return True
    if not text[start].isupper():
        return after[:1] == "-" and bool(match["version"])
    return (
        bool(match["version"])
        or _WITHIN.search(before) is not None
        or _HERE.match(after) is not None
        or (_BEGUN.search(before) is not None and _ALONE.match(after) is not None)
    )


def _word_start(folded: str, at: int) -> int:
    """Where the word around `at` begins, at most `_RUN` characters before."""
    first = max(0, at - _RUN)
    while at > first and folded[at - 1] in _RUNNING:
        at -= 1
    return at


def fold_each(text: str) -> str:
    """`text` for comparing, character by character: places in it are places in the text."""
    if text.isascii():
        return text.lower()
    return "".join(map(_fold_one, text))


@lru_cache(maxsize=4096)
def _fold_one(char: str) -> str:
    if char.isascii():
        return char.lower()
    if unicodedata.category(char) in _NO_LETTERS:
        return "\u200b" if char not in "\n\t" else char
    plain = unicodedata.normalize("NFKC", char)
    if named := _LETTER.match(unicodedata.name(char, "")):
        return named[1].lower()
    folded = fold(plain if len(plain) == 1 else char).translate(_ALIKE)
    return folded if len(folded) == 1 else char


def is_disguised(written: str, folded: str) -> bool:
    """Whether a word is written with letters that only look like those of `folded`; accents are no disguise."""
    return fold(written) != folded


def _settled(folded: str, text: str, patterns: _Patterns) -> int:
    """Up to where nothing depends on what comes next."""
    length = len(folded)
    end = _word_start(folded, length)
    for start in range(max(0, length - _LONGEST), length):
        if start and folded[start - 1].isalnum() and folded[start].isalnum():
            continue
        match = patterns.growing.match(folded, start, partial=True)
        if match is not None and (match.partial or match.end() > length - _TAIL):
            end = min(end, start)
            break
    for match in patterns.inside.finditer(folded, max(0, length - _LONGEST)):
        if match.end() > length - _TAIL:
            end = min(end, _word_start(folded, match.start()))
    for match in patterns.everyday.finditer(folded, max(0, length - _LONGEST)):
        if match.end("name") > length - _AHEAD:
            end = min(end, match.start())
            break
    for cue in _cues(folded):
        if cue < end and length - cue < _CLAIM and _may_name(text[cue:]):
            end = cue
            break
    return end


def _cues(folded: str) -> list[int]:
    """Where a name would begin that somebody gives oneself, or one's maker."""
    return sorted({match.end() for pattern in _CUES for match in pattern.finditer(folded, overlapped=True)})


def _may_name(rest: str) -> bool:
    """Whether what follows a cue could be a name, as far as it is there."""
    first = regex.match(_WORD, rest)
    return first is None or _is_name(first.group()) or first.end() == len(rest)


def _claims(folded: str, text: str) -> list[tuple[int, int]]:
    """Where the text says a name of its own: words with capitals right after a cue."""
    spans = []
    for cue in _cues(folded):
        match = _CLAIMED.match(text, cue)
        if match is None:
            continue
        end = cue
        for word in regex.finditer(_WORD, match.group()):
            if not _is_name(word.group()):
                break
            end = match.start() + word.end() - (len(word.group()) - len(word.group().rstrip(".'’-")))
        if end > cue:
            spans.append((match.start(), end))
    return spans


def _is_name(word: str) -> bool:
    bare = word.strip(".'’-")
    return bool(bare) and any(char.isupper() or char.isdigit() for char in bare) and bare.lower() not in _NO_NAMES


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return joined
