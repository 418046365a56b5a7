"""Recognising a text again without keeping it: a keyed hash. Without the key nobody can try out guesses."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from playground.errors import StorageError

KEY_FILE = "fingerprint.key"
_KEY_BYTES = 32
SHORTEST_SECRET = 16


class Fingerprint:
    """Gives the same text the same 32 hexadecimal digits, under one key. No key: one that ends with the process."""

    def __init__(self, key: bytes = b"") -> None:
        self._key = key or secrets.token_bytes(_KEY_BYTES)

    def __call__(self, text: str) -> str:
        """BLAKE2b (RFC 7693) of the text in UTF-8, keyed, 16 bytes."""
        data = text.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(data, key=self._key, digest_size=16).hexdigest()

    def of_tokens(self, token_ids: Iterable[int]) -> str:
        """The same for a run of tokens."""
        return self(" ".join(map(str, token_ids)))


def derive_key(secret: str) -> bytes:
    """The key that a secret of the operator stands for."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def load_key(folder: Path) -> bytes:
    """The key in that folder; made, readable by its owner only, when there is none.

    Of processes that start at the same time one makes it, and nobody sees half of it. Raises StorageError when it can
    be neither read nor written, or is damaged.
    """
    path = folder / KEY_FILE
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
        key = path.read_bytes()
    except OSError as error:
        raise StorageError(
            f"The key file {path} cannot be used ({error.strerror}). Choose another folder with --data-dir."
        ) from error
    if len(key) != _KEY_BYTES:
        raise StorageError(f"The key file {path} is damaged. Move it away; stored hashes then match no text any more.")
    return key


def _make(path: Path) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was quicker
        except OSError:  # a disk that knows no links
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
