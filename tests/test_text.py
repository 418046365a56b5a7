"""Folding, cleaning and shortening, in both languages."""

from __future__ import annotations

import pytest

from playground.text import fold, plain, shorten, without_halves


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Hello", "hello"),
        ("Đà Nẵng", "da nang"),
        ("ĐƯỜNG", "duong"),
        ("Straße", "strasse"),
        ("e\u0301", "e"),
        ("Ừ, THUỶ ơi; Ự ệ ẵ", "u, thuy oi; u e a"),
        ("Œuvre Ångström Łódź", "œuvre angstrom łodz"),
        ("日本", "日本"),
    ],
)
def test_fold(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\r\nb\rc\n\td", "a\nb\nc\n\td"),
        ("a\x00b\x1b[31m\x7f\x85", "ab[31m"),
        ("x\ud800y", "x\ufffdy"),
        ("abc\u202efdp.exe\u202c", "abcfdp.exe\u202c"),
        ("🇻🇳 ế", "🇻🇳 ế"),
        ("👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),
    ],
)
def test_plain(text: str, expected: str) -> None:
    assert plain(text) == expected
    plain(text).encode("utf-8")


def test_without_halves() -> None:
    assert without_halves("\ud83dx\x00\udd25🔥") == "\ufffdx\x00\ufffd🔥"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("short", "short"),
        ("  two\n\n lines ", "two lines"),
        ("one two three four five", "one two three…"),
        ("a" * 30, "a" * 14 + "…"),
        ("\u202eright to left\u202c", "right to left"),
        ("\n" * 10_000, ""),
        ("x" + "\n" * 10_000 + "y", "x…"),
        ("", ""),
    ],
)
def test_shorten(text: str, expected: str) -> None:
    assert shorten(text, 15) == expected
    assert len(shorten(text, 15)) <= 15
