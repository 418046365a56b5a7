"""Texts are recognised by a keyed hash: the same under one key, of no use without it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from playground.domain import Direction
from playground.errors import StorageError
from playground.moderation.fingerprint import KEY_FILE, Fingerprint, load_key
from playground.moderation.moderator import PolicyModerator, build_moderator


def test_the_same_text_has_the_same_hash_under_one_key_only() -> None:
    one, other = Fingerprint(b"k" * 32), Fingerprint(b"l" * 32)
    assert one("Xin chào") == Fingerprint(b"k" * 32)("Xin chào")
    assert len({one("a"), one("b"), other("a"), Fingerprint()("a"), Fingerprint()("a")}) == 5
    assert len(one("half \ud83d of a pair")) == 32


def test_the_key_is_made_once_and_is_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    key = load_key(folder)
    assert load_key(folder) == key
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
    (folder / KEY_FILE).write_bytes(b"short")
    with pytest.raises(StorageError, match="damaged"):
        load_key(folder)


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"file.*--data-dir"):
        load_key(tmp_path / "file")


def test_a_receipt_has_the_hash_of_what_was_judged() -> None:
    known = Fingerprint(b"k" * 32)
    gate = build_moderator("standard")
    moderator = PolicyModerator(gate.policy, gate.detectors, known)
    verdict = moderator.check_input("You piece of shit").verdict
    assert verdict is not None
    assert (verdict.text_hash, verdict.text_length) == (known("You piece of shit"), 17)
    guard = moderator.guard(Direction.OUTPUT)
    guard.feed("Write to anna@example.org. ")
    guard.finish()
    (verdict,) = guard.verdicts
    assert (verdict.text_hash, verdict.text_length) == (known("anna@example.org"), 16)
