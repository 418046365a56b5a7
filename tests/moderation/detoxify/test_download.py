"""Fetching from a server on loopback: right files are kept, wrong ones are not, progress is told."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from playground.errors import DetectorUnavailable
from playground.moderation.detoxify import __main__ as command
from playground.moderation.detoxify.checkpoint import PINS, file_digest
from playground.moderation.detoxify.detector import DetoxifyDetector
from playground.moderation.detoxify.download import download_variant
from playground.moderation.detoxify.variants import VARIANTS, Variant, find_variant
from tests.moderation.detoxify.models import write_model

REDIRECT = "/elsewhere/"


class Files(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith(REDIRECT):
            self.send_response(302)
            self.send_header("Location", "http://example.org/" + self.path.removeprefix(REDIRECT))
            self.end_headers()
            return
        super().do_GET()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Quiet."""


class Shortened(Files):
    def copyfile(self, source: Any, outputfile: Any) -> None:
        outputfile.write(source.read()[:-10])


def served(folder: Path, handler: type[Files]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> tuple[Variant, Path]:
    """A folder laid out as the two publishers lay theirs out, and the variant that is in it."""
    root = tmp_path_factory.mktemp("published")
    variant = write_model(root / "made", "original")
    release = root / variant.release
    hub = root / variant.backbone / "resolve" / variant.revision
    release.mkdir()
    hub.mkdir(parents=True)
    (root / "made" / variant.checkpoint).rename(release / variant.checkpoint)
    for name in ("config.json", "tokenizer.json"):
        (root / "made" / name).rename(hub / name)
    return replace(variant, sha256=file_digest(release / variant.checkpoint)), root


@pytest.fixture
def address(source: tuple[Variant, Path]) -> Iterator[str]:
    yield from served(source[1], Files)


@pytest.fixture
def shortened(source: tuple[Variant, Path]) -> Iterator[str]:
    yield from served(source[1], Shortened)


def test_a_model_is_fetched_checked_and_usable(source: tuple[Variant, Path], address: str, tmp_path: Path) -> None:
    variant, _ = source
    seen: dict[str, tuple[int, int | None]] = {}
    folder = tmp_path / "models"
    download_variant(
        variant,
        folder,
        releases=address,
        hub=address,
        progress=lambda name, done, total: seen.update({name: (done, total)}),
    )
    names = {variant.checkpoint, "config.json", "tokenizer.json"}
    assert {path.name for path in folder.iterdir()} == names | {PINS}
    assert set(seen) == names
    assert all(done == total == (folder / name).stat().st_size for name, (done, total) in seen.items())
    assert len(DetoxifyDetector(variant, folder, fast=False).scan("hello")) == 6
    seen.clear()
    download_variant(variant, folder, releases=address, hub=address)
    assert not seen


def test_another_file_than_expected_is_not_kept(source: tuple[Variant, Path], address: str, tmp_path: Path) -> None:
    variant = replace(source[0], sha256="c1212f89")
    with pytest.raises(DetectorUnavailable, match="SHA-256 differs"):
        download_variant(variant, tmp_path, releases=address, hub=address)
    assert list(tmp_path.iterdir()) == []


def test_an_incomplete_file_is_not_kept(source: tuple[Variant, Path], shortened: str, tmp_path: Path) -> None:
    with pytest.raises(DetectorUnavailable):
        download_variant(source[0], tmp_path, releases=shortened, hub=shortened, timeout=2)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_and_a_dead_server_are_reported(
    source: tuple[Variant, Path], address: str, tmp_path: Path
) -> None:
    with pytest.raises(DetectorUnavailable, match="could not be fetched"):
        download_variant(source[0], tmp_path, releases=address + "/no", hub=address)
    with pytest.raises(DetectorUnavailable, match="could not be fetched"):
        download_variant(source[0], tmp_path, releases="http://127.0.0.1:9", hub=address, timeout=2)


def test_nothing_is_fetched_in_the_clear(source: tuple[Variant, Path], address: str, tmp_path: Path) -> None:
    for releases in ("http://example.org", "ftp://example.org", "file:///etc", address + "/elsewhere"):
        with pytest.raises(DetectorUnavailable, match="https only"):
            download_variant(source[0], tmp_path, releases=releases, hub=address)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(DetectorUnavailable, match=", ".join(VARIANTS)):
        find_variant("huge")
    line = [sys.executable, "-m", "playground.moderation.detoxify", "huge"]
    root = Path(__file__).parents[3]
    result = subprocess.run(line, cwd=root, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1
    assert "original-small" in result.stderr


def test_the_command_prepares_a_model_whose_files_are_there(
    source: tuple[Variant, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    variant = write_model(tmp_path, "original")
    monkeypatch.setitem(VARIANTS, "original", variant)
    monkeypatch.setattr(sys, "argv", ["detoxify", "original", "--folder", str(tmp_path)])
    assert command.main() == 0
    assert "-int8" in capsys.readouterr().err
    assert (tmp_path / "network.onnx").exists()
