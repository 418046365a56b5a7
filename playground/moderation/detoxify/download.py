"""Fetches a Detoxify model: https only, no larger than expected, and kept only if its hash is the right one."""

from __future__ import annotations

import hashlib
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from playground.catalog.addresses import check_target
from playground.errors import DetectorUnavailable, HubError
from playground.moderation.detoxify.checkpoint import verify_files
from playground.moderation.detoxify.variants import CONFIG, RELEASES, TOKENIZER, Variant

# Told after every block: the file's name, bytes so far, and bytes in total (None when the server does not say).
Progress = Callable[[str, int, int | None], None]
_BLOCK = 1 << 20
_LARGEST = 2 << 30
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def download_variant(
    variant: Variant,
    folder: Path,
    *,
    releases: str = RELEASES,
    hub: str | None = None,
    progress: Progress | None = None,
    timeout: float = 30.0,
) -> None:
    """Fetch checkpoint, configuration and tokenizer of `variant` into `folder`; files that are there already stay.

    `releases` is where Detoxify publishes its checkpoints and `hub` the Hub's address (None: the one huggingface_hub is
    set to), so that a mirror can stand in. Hashes that are not known in advance are pinned now.

    Raises DetectorUnavailable when a file cannot be had or is not the right one; nothing half-done is left behind.
    """
    from huggingface_hub import hf_hub_url  # noqa: PLC0415

    sources = {variant.checkpoint: f"{releases}/{variant.release}/{variant.checkpoint}"}
    for name in (CONFIG, TOKENIZER):
        sources[name] = hf_hub_url(variant.backbone, name, revision=variant.revision, endpoint=hub)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, address in sources.items():
            if not (folder / name).exists():
                expected = variant.sha256 if name == variant.checkpoint else ""
                _fetch(address, folder / name, expected, progress or _silent, timeout)
    except (OSError, ValueError) as error:
        raise DetectorUnavailable(
            f"The Detoxify model {variant.name} could not be fetched ({type(error).__name__}). "
            "Check the connection and the free space, or copy its files there by hand."
        ) from error
    verify_files(folder, variant)


def _silent(name: str, done: int, total: int | None) -> None:
    """Nobody watches."""


def _fetch(address: str, path: Path, expected: str, progress: Progress, timeout: float) -> None:
    _require_https(address)
    opener = urllib.request.build_opener(_HttpsRedirects)
    with opener.open(address, timeout=timeout) as response:
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                digest = _copy(response, file, path.name, progress)
            if not digest.startswith(expected):
                raise DetectorUnavailable(
                    f"{path.name} was fetched, but it is not the file expected (SHA-256 differs) and was deleted. "
                    "Try again later; if it stays so, do not use that source."
                )
            Path(part).replace(path)
        finally:
            Path(part).unlink(missing_ok=True)


def _copy(response: Any, file: IO[bytes], name: str, progress: Progress) -> str:
    length = response.headers.get("Content-Length")
    total = int(length) if length else None
    digest, done = hashlib.sha256(), 0
    while block := response.read(_BLOCK):
        done += len(block)
        if done > _LARGEST:
            raise DetectorUnavailable(f"{name} is larger than any Detoxify model; it was not kept.")
        digest.update(block)
        file.write(block)
        progress(name, done, total)
    if total is not None and done != total:
        raise DetectorUnavailable(f"{name} arrived incomplete; try again.")
    return digest.hexdigest()


def _require_https(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise DetectorUnavailable("Models are fetched over https only; give an address that begins with https.")


class _HttpsRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(  # noqa: PLR0917  urllib's own signature
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        _require_https(newurl)
        try:
            check_target(newurl, req.full_url)
        except HubError as error:
            raise DetectorUnavailable(
                "The download was sent to an address that is not public. Try again later."
            ) from error
        return super().redirect_request(req, fp, code, msg, headers, newurl)
