"""What people paste."""

from __future__ import annotations

from pathlib import Path

import pytest

from playground.catalog.references import Reference, parse_reference
from playground.errors import InvalidRequest

COMMIT = "a" * 40


@pytest.mark.parametrize(
    ("text", "repo", "revision"),
    [
        ("HuggingFaceTB/SmolLM2-135M-Instruct", "HuggingFaceTB/SmolLM2-135M-Instruct", "main"),
        ("  owner/name \n", "owner/name", "main"),
        ("owner/name@v1.0", "owner/name", "v1.0"),
        ("https://huggingface.co/owner/name", "owner/name", "main"),
        ("<https://huggingface.co/owner/name/>", "owner/name", "main"),
        (f"https://huggingface.co/owner/name/tree/{COMMIT}", "owner/name", COMMIT),
        ("https://huggingface.co/owner/name/blob/main/config.json?x=1#y", "owner/name", "main"),
        ("huggingface.co/owner/name", "owner/name", "main"),
        ("http://hf.co/owner/name", "owner/name", "main"),
        ("http://127.0.0.1:8000/owner/name", "owner/name", "main"),
        ("https://huggingface.co/owner/name/tree/refs%2Fpr%2F1", "owner/name", "refs/pr/1"),
    ],
)
def test_ids_and_addresses(text: str, repo: str, revision: str) -> None:
    assert parse_reference(text, "http://127.0.0.1:8000") == Reference(repo, revision)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gpt2",
        "a/b/c",
        "owner/na me",
        "owner/..",
        "owner/name@../x",
        "owner--x/name",
        "-owner/name",
        "x" * 2000,
        "https://evil.example/owner/name",
        "https://huggingface.co.evil.example/owner/name",
        "https://huggingface.co@evil.example/owner/name",
        "https://huggingface.co/datasets/owner/name",
        "https://huggingface.co/owner",
        "https://huggingface.co/owner/%2e%2e",
        "javascript://huggingface.co/owner/name",
        "https://[broken/owner/name",
        "/no/such/folder",
        "~nobody-of-that-name/x",
        "owner/name\x00",
    ],
)
def test_anything_else_gets_a_sentence(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"\.$"):
        parse_reference(text)


def test_a_folder(tmp_path: Path) -> None:
    assert parse_reference(str(tmp_path)) == Reference(folder=tmp_path.resolve())
    (tmp_path / "file").write_text("x")
    with pytest.raises(InvalidRequest, match="no such folder"):
        parse_reference(str(tmp_path / "file"))
