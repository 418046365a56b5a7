from __future__ import annotations

import pytest

from playground.domain import Action, Finding, Language, Ruling
from playground.moderation.categories import PERSONAL
from playground.moderation.redaction import guess_language, mark_for, redact


def ruling(start: int, end: int, category: str = "email", explanation: str = "") -> Ruling:
    return Ruling(Finding(category, 1.0, (start, end), "d", "1", explanation), Action.REDACT, 0.5)


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], "0123456789"),
        ([(0, 3)], "[e-mail removed]3456789"),
        ([(7, 10)], "0123456[e-mail removed]"),
        ([(2, 4), (3, 6)], "01[e-mail removed]6789"),
        ([(6, 8), (2, 4)], "01[e-mail removed]45[e-mail removed]89"),
    ],
)
def test_spans_become_marks(spans: list[tuple[int, int]], expected: str) -> None:
    assert redact("0123456789", 0, 10, [ruling(*span) for span in spans], "en") == expected


def test_a_span_from_outside_is_cut() -> None:
    assert redact("0123456789", 4, 8, [ruling(2, 6), ruling(7, 9)], "en") == "[e-mail removed]6[e-mail removed]"
    assert redact("0123456789", 4, 8, [ruling(0, 2), ruling(8, 9)], "en") == "4567"


@pytest.mark.parametrize(
    ("text", "default", "guessed"),
    [("hello", "en", "en"), ("hello", "vi", "vi"), ("đi", "en", "vi"), ("cà phê", "en", "en"), ("", "en", "en")],
)
def test_language(text: str, default: Language, guessed: Language) -> None:
    assert guess_language(text, default) == guessed


def test_marks_follow_the_language_of_the_text_before_them() -> None:
    assert redact("Gửi tới a@b.co", 0, 14, [ruling(8, 14)], "en") == "Gửi tới [đã ẩn e-mail]"


def test_every_private_thing_has_a_mark_of_its_own_in_both_languages() -> None:
    for language in ("en", "vi"):
        marks = {mark_for(ruling(0, 1, category), language) for category in PERSONAL}
        assert len(marks) == len(PERSONAL)
    assert mark_for(ruling(0, 1, "slur"), "en") == "[removed]"
    assert mark_for(ruling(0, 2, "remote_image", "markdown_image"), "vi") == "["
