"""What stands in the place of covered text: a mark that says what was there, in the reader's language."""

from __future__ import annotations

import re
from collections.abc import Iterable

from playground.domain import Language, Ruling

_MARKS: dict[Language, dict[str, str]] = {
    "en": {
        "email": "[e-mail removed]",
        "phone": "[phone number removed]",
        "card": "[card number removed]",
        "id_number": "[identity number removed]",
        "bank_account": "[account number removed]",
        "secret": "[secret removed]",
    },
    "vi": {
        "email": "[đã ẩn e-mail]",
        "phone": "[đã ẩn số điện thoại]",
        "card": "[đã ẩn số thẻ]",
        "id_number": "[đã ẩn số giấy tờ]",
        "bank_account": "[đã ẩn số tài khoản]",
        "secret": "[đã ẩn khóa bí mật]",
    },
}
_OTHERWISE: dict[Language, str] = {"en": "[removed]", "vi": "[đã ẩn]"}
_ALL_MARKS = {*_OTHERWISE.values(), *(mark for marks in _MARKS.values() for mark in marks.values())}
_ANY_MARK = re.compile("|".join(map(re.escape, sorted(_ALL_MARKS))))
# How remote images are disarmed, by the finding's explanation: the rest of the text stays and becomes a plain link.
_DISARMED = {"markdown_image": "[", "html_tag": "&lt;", "link_definition": "] :"}
# Letters that Vietnamese alone uses, or nearly alone.
_VIETNAMESE = re.compile(r"[ăđơưĂĐƠƯạ-ỹẠ-Ỹ]")


def guess_language(text: str, default: Language) -> Language:
    """Vietnamese if `text` has letters that only Vietnamese uses, else `default`."""
    return "vi" if _VIETNAMESE.search(text) else default


def mark_for(ruling: Ruling, language: Language) -> str:
    """What is shown instead of the finding's span."""
    finding = ruling.finding
    if finding.category == "remote_image":
        return _DISARMED.get(finding.explanation, _OTHERWISE[language])
    return _MARKS[language].get(finding.category, _OTHERWISE[language])


def marks_in(text: str) -> list[tuple[int, int]]:
    """Where in a text marks stand in the place of something that was covered."""
    return [mark.span() for mark in _ANY_MARK.finditer(text)]


def redact(text: str, start: int, end: int, rulings: Iterable[Ruling], language: Language) -> str:
    """`text[start:end]` with the spans of `rulings` (positions in `text`) replaced by marks.

    Marks are in `language`, or in Vietnamese once the text before them is: what comes later must not matter.
    Spans that overlap become one mark, the first one's; a span that reaches outside is cut to what is inside.
    """
    pieces: list[str] = []
    done = start
    for ruling in sorted(rulings, key=lambda ruling: ruling.finding.span):
        left, right = ruling.finding.span
        if right <= done or left >= end:
            continue
        if left >= done:
            language = guess_language(text[start:left], language)
            pieces += (text[done:left], mark_for(ruling, language))
        elif done == start:
            pieces.append(mark_for(ruling, language))
        done = min(right, end)
    pieces.append(text[done:end])
    return "".join(pieces)
