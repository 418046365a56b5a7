from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.moderation.personal_data import PersonalDataDetector, passes_luhn

DETECTOR = PersonalDataDetector()


def found(text: str) -> set[tuple[str, str]]:
    return {(finding.category, text[slice(*finding.span)]) for finding in DETECTOR.scan(text)}


@pytest.mark.parametrize(
    ("text", "category", "words"),
    [
        ("write to lan.nguyen+x@mail.example.com.vn now", "email", "lan.nguyen+x@mail.example.com.vn"),
        ("a@b.co", "email", "a@b.co"),
        ("<me@here.org>", "email", "me@here.org"),
        ("gửi thư tới hoa@truong.edu.vn.", "email", "hoa@truong.edu.vn"),
        ("ｍｅ＠ｈｅｒｅ.ｏｒｇ", "email", "ｍｅ＠ｈｅｒｅ.ｏｒｇ"),
        ("me\u200b@here.org", "email", "me\u200b@here.org"),
        ("gọi 0912345678 nhé", "phone", "0912345678"),
        ("0912 345 678", "phone", "0912 345 678"),
        ("0912.345.678.", "phone", "0912.345.678"),
        ("+84 912 345 678", "phone", "+84 912 345 678"),
        ("+84(0)912345678", "phone", "+84(0)912345678"),
        ("0084 38 1234567", "phone", "0084 38 1234567"),
        ("84912345678", "phone", "84912345678"),
        ("(024) 3825 1234", "phone", "(024) 3825 1234"),
        ("+44 20 7946 0958", "phone", "+44 20 7946 0958"),
        ("+1 (415) 555-2671", "phone", "+1 (415) 555-2671"),
        ("415-555-2671", "phone", "415-555-2671"),
        ("my phone number is 5552671", "phone", "5552671"),
        ("sđt của mình: 19001234", "phone", "19001234"),
        ("4111 1111 1111 1111", "card", "4111 1111 1111 1111"),
        ("card 5500-0000-0000-0004", "card", "5500-0000-0000-0004"),
        ("378282246310005", "card", "378282246310005"),
        ("9704 0000 0000 0018", "card", "9704 0000 0000 0018"),
        ("001099012345", "id_number", "001099012345"),
        ("CCCD: 123456789012", "id_number", "123456789012"),
        ("số căn cước công dân là 079 203 001 234", "id_number", "079 203 001 234"),
        ("CMND số 123456789", "id_number", "123456789"),
        ("SSN 078-05-1120", "id_number", "078-05-1120"),
        ("GB82 WEST 1234 5698 7654 32", "bank_account", "GB82 WEST 1234 5698 7654 32"),
        ("DE89370400440532013000", "bank_account", "DE89370400440532013000"),
    ],
)
def test_personal(text: str, category: str, words: str) -> None:
    assert (category, words) in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "user@localhost and @handle and a @ b",
        "pip install foo@1.2.3",
        "4111 1111 1111 1112",  # check digit
        "42424242424242",  # a valid check digit, but no issuer has such a length
        "0000 0000 0000 0000",
        "1234567890123456",
        "2024-11-25 13:00:00.123456",
        "1700000000 and 1700000000000",
        "version 1.2.3.4.5.6.7.8.9.10",
        "3.14159265358979323846",
        "123456789",
        "123456789012",  # twelve digits, no evidence
        "the call returned 1048576 bytes",
        "a hotel 1234567 away",
        "id 123456789",
        "x = 0.912345678",
        "GB82 WEST 1234 5698 7654 33",
        "192.168.100.100:8080",
        "năm 2024 có 365 ngày, 12 tháng",
        "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12",
        "tổng là 1.234.567.890 đồng",
    ],
)
def test_impersonal(text: str) -> None:
    assert not found(text)


def test_evidence_raises_the_score() -> None:
    bare = DETECTOR.scan("001099012345")[0]
    named = DETECTOR.scan("CCCD 001099012345")[0]
    elsewhere = DETECTOR.scan("CCCD 999999999999")[0]
    assert bare.score < elsewhere.score < named.score
    assert (bare.explanation, named.explanation) == ("prefix", "context")


def test_of_two_readings_the_better_founded_one_is_kept() -> None:
    assert [finding.category for finding in DETECTOR.scan("phone: 4111 1111 1111 1111")] == ["card"]


@pytest.mark.parametrize(("digits", "valid"), [("79927398713", True), ("79927398710", False), ("0", True)])
def test_luhn(digits: str, valid: bool) -> None:
    assert passes_luhn(digits) is valid


@pytest.mark.parametrize(
    ("text", "least"), [("mail a.b@exam", 8), ("call 0912 345 ", 9), ("CCCD 0010990", 7), ("GB82 WEST 12", 12)]
)
def test_what_may_still_go_on_is_held(text: str, least: int) -> None:
    assert DETECTOR.unsettled(text) >= least


@given(st.text(alphabet=st.sampled_from("0123456789 .-+()@abcXYZ\u200b\nđ")))
def test_spans_are_valid_whatever_the_text(text: str) -> None:
    for finding in DETECTOR.scan(text):
        assert 0 <= finding.span[0] < finding.span[1] <= len(text)
    assert 0 <= DETECTOR.unsettled(text) <= min(len(text), DETECTOR.reach)
