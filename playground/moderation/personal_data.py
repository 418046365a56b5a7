"""Personal data: e-mail addresses, phone numbers, payment cards, identity numbers, bank accounts.

Numbers are believed in proportion to their evidence: a check digit, a known prefix, a word before them that says what
they are. A bare number without any evidence is not reported. Marks of markdown and HTML, and line ends that are
hardly anything but a break, are seen through (see `markup` and `line_breaks`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from playground.domain import Finding
from playground.moderation.contract import Scope
from playground.moderation.line_breaks import without_breaks, without_open_breaks
from playground.moderation.markup import LONG_MARKS, REACH, Seen, without_marks, without_open_marks
from playground.moderation.normaliser import Normalised, normalise

_EMAIL_DOMAIN = re.compile(r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9])")
_LOCAL_BACKWARDS = re.compile(r"[A-Za-z0-9_%+-](?:[A-Za-z0-9._%+-]{0,63})")
_ENOUGH_DIGITS = re.compile(r"[0-9](?:[ .()-]{0,2}[0-9]){6}")
_APART = r"(?<![0-9A-Za-z+.])"
_END = r"(?![0-9A-Za-z])"


def _number(shape: str, apart: str = _APART) -> re.Pattern[str]:
    """A pattern tried at every place, also inside another match: a long row of digits has no right beginning."""
    return re.compile(f"{apart}(?=({shape}){_END})")


_VIETNAMESE_MOBILE = _number(r"(?:(?:\+|00)84[ .-]?(?:\(0\)|0)?|0(?!\.))[ .-]?[35789](?:[ .-]?[0-9]){8}")
_VIETNAMESE_BARE = _number(r"84[35789][0-9]{8}")
_VIETNAMESE_LANDLINE = _number(r"(?:\(02[0-9]{1,2}\)|02[0-9]{1,2})[ .-]?[0-9]{3,4}[ .-]?[0-9]{4}")
_INTERNATIONAL = _number(
    r"\+[1-9][0-9]{0,2}[ .-]?(?:\([0-9]{1,4}\)[ .-]?)?[0-9](?:[ .-]?[0-9]){6,12}", r"(?<![0-9A-Za-z+])"
)
_AMERICAN = _number(r"(?:1[ .-])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[.-])[2-9][0-9]{2}[.-][0-9]{4}")
_AFTER_PHONE_WORD = _number(r"[0-9](?:[ .-]?[0-9]){6,13}")
_PHONE_SHAPES = (
    (_VIETNAMESE_MOBILE, 0.9),
    (_INTERNATIONAL, 0.85),
    (_AMERICAN, 0.75),
    (_VIETNAMESE_LANDLINE, 0.75),
    (_VIETNAMESE_BARE, 0.6),
)
_CARD = _number(r"[0-9](?:[ -]?[0-9]){12,18}")
# Issuers by the first digits, with the lengths they use; 9704 is Vietnam's NAPAS.
_ISSUED = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})|5[1-5][0-9]{14}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)[0-9]{12}"
    r"|3[47][0-9]{13}|3(?:0[0-5]|[689][0-9])[0-9]{11}|35[0-9]{14,17}|6(?:011|4[4-9][0-9]|5[0-9]{2}|2[0-9]{2})[0-9]{12,15}"
    r"|9704[0-9]{12}(?:[0-9]{3})?"
)
_TWELVE = _number(r"[0-9]{3} ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}")
_NINE = _number(r"[0-9]{3} ?[0-9]{3} ?[0-9]{3}")
_SOCIAL_SECURITY = _number(r"(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}")
_IBAN = _number(r"[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?", r"(?<![A-Za-z0-9])")
# Provinces of the identity card, then the digit for century and sex. The rule bound only until July 2024, so it is
# evidence, not a condition.
_PROVINCE = re.compile(
    r"0(?:0[12468]|1[0124579]|2[024567]|3[01345678]|4[0245689]|5[12468]|6[0246789]|7[024579]|8[0234679]|9[1-6])[0-3]"
)
# Words that say what the number behind them is, with nothing but such fillers in between.
_FILLERS = r"(?:\s|[:.#()='\"-]|is|are|number|no|num|at|on|me|my|us|số|so|là|la|qua|của tôi|của em|của mình){0,10}$"
_PHONE_WORDS = re.compile(
    r"(?i)(?<![^\W_])(?:phone|telephone|mobile|cell|tel|call|text me|whatsapp|zalo|hotline|sđt|sdt|đt|điện thoại|"
    rf"dien thoai|gọi|liên hệ|di động){_FILLERS}"
)
_IDENTITY_WORDS = re.compile(
    r"(?i)(?<![^\W_])(?:cccd|cmnd|số cmt|căn cước(?: công dân)?|can cuoc|chứng minh(?: thư| nhân dân)?|chung minh|"
    rf"định danh|id card|id number|identity(?: card)?|national id){_FILLERS}"
)
_CONTEXT = 48
_TAIL = 384
_NEAR = 512  # so far back anything reaches that has no long marks in it

Place = tuple[int, int, str, float, str]


class PersonalDataDetector:
    """Finds what identifies a person; the explanation names the evidence ("luhn", "prefix", "context", "shape")."""

    name = "personal_data"
    version = "2"
    reach = 2 * REACH
    prompt = True
    scope: Scope = "span"

    def scan(self, text: str) -> list[Finding]:
        """Addresses and numbers; where two readings overlap, the better founded one."""
        view = normalise(text)
        found = [*_found(view)]
        for seen in _other_readings(view):
            found += (place for place in _found(seen) if place[1] - place[0] <= REACH)
        return [
            Finding(category, score, (start, end), self.name, self.version, explanation)
            for start, end, category, score, explanation in _without_overlaps(found)
        ]

    def unsettled(self, text: str) -> int:
        """From the start of an address or number that may still be going on, to the end of `text`."""
        tail = text[-self.reach :]
        if not any(mark in tail for mark in LONG_MARKS):
            tail = tail[-_NEAR:]
        view = normalise(tail)
        seen = without_open_breaks(without_open_marks(view, lines=False))
        begun = [_begun(view), _begun(seen) if seen is not view else None]
        places = [place for place in begun if place is not None]
        if not places and view.text and not view.text[-1].isspace():
            places.append(view.span(0, len(view.text))[1])
        return len(tail) - min(places, default=len(tail))


def _other_readings(view: Normalised) -> Iterator[Seen]:
    """The text without the marks of markdown and HTML, and without the line ends inside of addresses and numbers."""
    readings: list[Seen] = [*without_marks(view, lines=False)]
    yield from readings
    for seen in (view, *readings):
        joined = without_breaks(seen)
        if joined:
            yield joined


def _found(seen: Seen) -> Iterator[Place]:
    """Everything in one reading, with places in the text as given."""
    places = [*_emails(seen.text)]
    if _ENOUGH_DIGITS.search(seen.text):
        for numbers in (_cards, _identity_numbers, _phones, _bank_accounts):
            places += numbers(seen.text)
    for start, end, category, score, explanation in places:
        yield *seen.span(start, end), category, score, explanation


def _begun(seen: Seen) -> int | None:
    """Where the address or number begins, in the text as given, that may still be going on; None if there is none."""
    backwards = seen.text[: -_TAIL - 1 : -1]
    matches = (pattern.match(backwards) for pattern in _OPEN_BACKWARDS)
    held = max((match.end() for match in matches if match), default=0)
    return seen.span(len(seen.text) - held, len(seen.text))[0] if held else None


_OPEN_BACKWARDS = (
    re.compile(r"[A-Za-z0-9.-]{0,255}+@[A-Za-z0-9._%+-]{1,64}|[A-Za-z0-9._%+-]{0,64}"),
    re.compile(r"[ .()-]{0,2}(?:[0-9][ .()-]{0,2}){1,24}\+?"),
    re.compile(r" ?(?:[A-Z0-9] ?){0,31}[0-9]{2}[A-Z]{2}(?![A-Za-z0-9])"),
)


def _without_overlaps(found: list[Place]) -> list[Place]:
    kept: list[Place] = []
    for place in sorted(found, key=lambda place: (place[0], -place[3], -place[1])):
        if kept and place[0] < kept[-1][1]:
            if place[3] > kept[-1][3]:
                kept[-1] = place
            continue
        kept.append(place)
    return kept


def _emails(view: str) -> Iterator[Place]:
    for match in _EMAIL_DOMAIN.finditer(view):
        local = _LOCAL_BACKWARDS.match(view[max(0, match.start() - 64) : match.start()][::-1])
        if local:
            yield match.start() - local.end(), match.end(), "email", 0.95, "shape"


def _digits(text: str) -> str:
    return "".join(char for char in text if "0" <= char <= "9")


def passes_luhn(digits: str) -> bool:
    """Whether the last of `digits` is the check digit of the rest (ISO/IEC 7812-1)."""
    total = 0
    for place, char in enumerate(reversed(digits)):
        value = int(char) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _cards(view: str) -> Iterator[Place]:
    for match in _CARD.finditer(view):
        digits = _digits(match[1])
        if _ISSUED.fullmatch(digits) and len(set(digits)) > 1 and passes_luhn(digits):
            yield *match.span(1), "card", 0.95, "luhn"


def _identity_numbers(view: str) -> Iterator[Place]:
    for match in _TWELVE.finditer(view):
        named = _follows(_IDENTITY_WORDS, view, match.start())
        placed = _PROVINCE.match(_digits(match[1])) is not None
        if named or placed:
            score = 0.95 if named and placed else 0.85 if named else 0.7
            yield *match.span(1), "id_number", score, "context" if named else "prefix"
    for match in _NINE.finditer(view):
        if _follows(_IDENTITY_WORDS, view, match.start()):
            yield *match.span(1), "id_number", 0.8, "context"
    for match in _SOCIAL_SECURITY.finditer(view):
        yield *match.span(1), "id_number", 0.7, "shape"


def _phones(view: str) -> Iterator[Place]:
    for pattern, score in _PHONE_SHAPES:
        for match in pattern.finditer(view):
            yield *match.span(1), "phone", score, "prefix"
    for match in _AFTER_PHONE_WORD.finditer(view):
        if _follows(_PHONE_WORDS, view, match.start()):
            yield *match.span(1), "phone", 0.7, "context"


def _bank_accounts(view: str) -> Iterator[Place]:
    for match in _IBAN.finditer(view):
        compact = match[1].replace(" ", "")
        rearranged = compact[4:] + compact[:4]
        if int("".join(str(int(char, 36)) for char in rearranged)) % 97 == 1:
            yield *match.span(1), "bank_account", 0.95, "mod97"


def _follows(words: re.Pattern[str], view: str, place: int) -> bool:
    return words.search(view[max(0, place - _CONTEXT) : place]) is not None
