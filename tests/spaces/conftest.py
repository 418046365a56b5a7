"""A checkout of one's own to deploy from, and the command line against the Hub's stand-in."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hub_stand_in import HubStandIn

Deploy = Callable[..., int]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def deploy(hub: HubStandIn, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Deploy:
    """`deploy("me/space", "--flavour", "cpu")` -> exit status, from `checkout` to `hub`."""
    from huggingface_hub import HfApi, constants  # noqa: PLC0415  after the environment is set

    from spaces import deploy as command  # noqa: PLC0415

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # its own storage protocol; LFS is the other way
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)

    def run(*arguments: str, root: Path = checkout) -> int:
        api: Any = HfApi(endpoint=hub.endpoint, token=hub.token)
        return command.main([*arguments, "--poll-seconds", "0.01"], api, root)

    return run


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small checkout with everything that a Space needs, and much that it does not."""
    root = tmp_path / "checkout"
    files = {
        "app.py": "print('app')\n",
        "LICENSE": "Apache-2.0\n",
        "requirements.txt": "gradio==6.31.0\n",
        "playground/__init__.py": "",
        "playground/embedded/model.bin": "x" * 3000,
        "spaces/deploy.py": "",
        "tests/test_it.py": "",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-qm", "All")
    (root / "playground/own.log").write_text("not tracked", encoding="utf-8")
    return root


def git(root: Path, *arguments: str) -> None:
    """Run git there."""
    subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True, timeout=60)
