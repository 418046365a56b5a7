from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.domain import Action
from playground.moderation.credentials import SecretsDetector
from tests.moderation.streams import in_pieces, moderator, stream

DETECTOR = SecretsDetector()
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7bq8\nq1w2e3r4t5==\n-----END RSA PRIVATE KEY-----"


def found(text: str) -> set[tuple[str, str]]:
    return {(finding.explanation, text[slice(*finding.span)]) for finding in DETECTOR.scan(text)}


@pytest.mark.parametrize(
    ("text", "kind", "secret"),
    [
        ("key sk-proj-aB3dE6gH9jK2mN5pQ8sT1v", "openai", "sk-proj-aB3dE6gH9jK2mN5pQ8sT1v"),
        ("sk-ant-api03-aB3dE6gH9jK2mN5pQ8sT1v", "anthropic", "sk-ant-api03-aB3dE6gH9jK2mN5pQ8sT1v"),
        ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "github", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"),
        ("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", "huggingface", "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"),
        ("AKIAIOSFODNN7EXAMPLE", "aws", "AKIAIOSFODNN7EXAMPLE"),
        ("AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY", "google", "AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY"),
        ("xoxb-123456789012-abcdefABCDEF", "slack", "xoxb-123456789012-abcdefABCDEF"),
        ("eyJhbGciOiJI.eyJzdWIiOiIx.dozjgNryP4J3", "jwt", "eyJhbGciOiJI.eyJzdWIiOiIx.dozjgNryP4J3"),
        ('API_KEY = "8f3a9b2c7d1e4f60a5b8"', "assignment", "8f3a9b2c7d1e4f60a5b8"),
        ("client-secret: Zx9Yw8Vu7Ts6Rq5Po4", "assignment", "Zx9Yw8Vu7Ts6Rq5Po4"),
        (f"here:\n{KEY}\nbye", "private_key", KEY),
    ],
)
def test_secret(text: str, kind: str, secret: str) -> None:
    assert (kind, secret) in found(text)


@pytest.mark.parametrize(
    "text",
    [
        'api_key = "your_api_key_goes_here"',
        "api_key = os.environ['OPENAI_API_KEY']",
        "sk-learn-style-pipelines-are-nice",
        "the secret: always be kind to everyone",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
        "token = tokenizer.encode(text)",
        "hf_hub_download(repo_id, filename)",
        "0123456789abcdef0123456789abcdef",
    ],
)
def test_no_secret(text: str) -> None:
    assert not found(text)


def test_an_unfinished_key_block_is_held_from_its_header() -> None:
    text = "so:\n" + KEY[:-10]
    assert DETECTOR.unsettled(text) == len(KEY) - 10
    assert DETECTOR.unsettled(f"{KEY} and more words ") == 0
    assert DETECTOR.unsettled("-----BEGIN CERTIFICATE-----\nMII and more ") == 0


def test_a_key_block_without_an_end_is_covered_as_far_as_it_goes() -> None:
    text = "-----BEGIN PRIVATE KEY-----\nMIIEabc\nMIIEdef\n"
    assert ("private_key", text) in found(text + "---")


LINE = "MIIEpAIBAAKCAQEA7bq8q1w2e3r4t5y6u7i8o9p0aSdFgHjKlZxCvBnM+/QwErTy"
BEFORE = "This comes first, and it is harmless. "


def block(characters: int, kind: str = "RSA PRIVATE KEY", line_end: str = "\n", headers: str = "") -> str:
    """A key block with about so many characters of body."""
    body = line_end.join([LINE] * (characters // (len(LINE) + len(line_end))))
    return f"-----BEGIN {kind}-----{line_end}{headers}{body}=={line_end}-----END {kind}-----"


LONG = {
    "nearly near": block(7_900),
    "just not near": block(8_000),
    "rsa": block(13_000),
    "escaped": block(10_000, line_end="\\n"),
    "quoted": block(10_000, line_end="\n> "),
    "one line": block(10_000, line_end=" "),
    "armoured": block(
        20_000, "PGP PRIVATE KEY BLOCK", headers="Version: GnuPG v2.0 (x)\nComment: https://a.example\n\n"
    ),
    "encrypted": block(10_000, headers="Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,AB12\n\n"),
}


@pytest.mark.parametrize("name", LONG)
def test_a_key_block_is_found_up_to_its_end_however_long(name: str) -> None:
    assert ("private_key", LONG[name]) in found(f"so:\n{LONG[name]}\nbye, he said.")
    assert DETECTOR.unsettled(f"so:\n{LONG[name][:-7]}") == len(LONG[name]) - 7


@pytest.mark.parametrize("name", LONG)
@pytest.mark.parametrize("size", [7, 1000, 50_000])
def test_nothing_of_a_long_key_leaves_a_stream(name: str, size: int) -> None:
    text = f"{BEFORE}{LONG[name]}\nAnd then it goes on, harmlessly. "
    result = stream(moderator().guard(), in_pieces(text, size))
    assert result.text == f"{BEFORE}[secret removed]\nAnd then it goes on, harmlessly. "


def test_a_long_key_without_an_end_is_covered_as_far_as_it_goes() -> None:
    text = f"{BEFORE}{LONG['rsa'][:12_000]}"
    for size in (7, 1000, 50_000):
        result = stream(moderator().guard(), in_pieces(text, size))
        assert result.text == f"{BEFORE}[secret removed]"
        result = stream(moderator().guard(), in_pieces(f"{text}. And then it goes on, harmlessly. ", size))
        assert result.text == f"{BEFORE}[secret removed]. And then it goes on, harmlessly. "


def test_a_key_that_does_not_come_to_an_end_stops_the_stream() -> None:
    text = BEFORE + block(140_000)
    guard = moderator().guard()
    assert stream(guard, in_pieces(text, 10_000)).text == BEFORE
    assert (guard.verdicts[-1].action, guard.verdicts[-1].unavailable, guard.held) == (Action.BLOCK, True, 0)


def test_a_header_in_prose_does_not_hold_the_rest_of_a_long_text() -> None:
    text = "A file of keys begins with -----BEGIN PRIVATE KEY----- and goes on. " + "Some more words on it. " * 400
    assert DETECTOR.unsettled(text) <= 8


@given(st.text(alphabet=st.sampled_from("sk-ghp_AKIAeyJ.0123abcXYZ=: \n-BEGIN PRIVATE KEYEND")))
def test_spans_are_valid_whatever_the_text(text: str) -> None:
    for finding in DETECTOR.scan(text):
        assert 0 <= finding.span[0] < finding.span[1] <= len(text)
    assert 0 <= DETECTOR.unsettled(text) <= min(len(text), DETECTOR.reach)
