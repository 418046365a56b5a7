from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.moderation.credentials import SecretsDetector

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


@given(st.text(alphabet=st.sampled_from("sk-ghp_AKIAeyJ.0123abcXYZ=: \n-BEGIN PRIVATE KEYEND")))
def test_spans_are_valid_whatever_the_text(text: str) -> None:
    for finding in DETECTOR.scan(text):
        assert 0 <= finding.span[0] < finding.span[1] <= len(text)
    assert 0 <= DETECTOR.unsettled(text) <= min(len(text), DETECTOR.reach)
