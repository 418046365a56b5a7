"""What a Space gets: tracked files and its flavour's, the front matter, pinned packages, and sizes that are checked."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from playground.config import load_settings
from playground.errors import ConfigError
from spaces import folder as folders
from spaces.flavours import FLAVOURS, Flavour
from spaces.folder import Content, build_folder, pinned, render_readme
from tests.spaces.conftest import ROOT, git

CONTENT = Content(title='A "quoted" title: yes', models=("pip",), repositories=("a/b",), preload=("a/b",))
every_flavour = pytest.mark.parametrize("flavour", FLAVOURS.values(), ids=FLAVOURS)


def front_matter(text: str) -> dict[str, Any]:
    """The facts as the Hub's own library reads them."""
    from huggingface_hub import SpaceCard  # noqa: PLC0415

    return dict(SpaceCard(text).data.to_dict())


@every_flavour
def test_only_tracked_and_needed_files_are_there(flavour: Flavour, checkout: Path, tmp_path: Path) -> None:
    built = build_folder(flavour, CONTENT, tmp_path / "space", checkout)
    own = {"README.md", "playground.toml", *flavour.files.values()}
    assert set(built.files) == {"app.py", "LICENSE", "playground/__init__.py", "playground/embedded/model.bin"} | own
    assert not built.dirty
    (checkout / "app.py").write_text("print('changed')\n", encoding="utf-8")
    assert build_folder(flavour, CONTENT, tmp_path / "again", checkout).dirty


@every_flavour
def test_nothing_in_a_space_hides_the_package_for_zerogpu(flavour: Flavour, tmp_path: Path) -> None:
    built = build_folder(flavour, CONTENT, tmp_path / "space")
    assert not [name for name in built.files if name.startswith("spaces")]
    assert {"app.py", "playground/server.py", "playground/embedded/pip/int8/model.onnx"} <= set(built.files)


@every_flavour
def test_the_front_matter_says_what_the_hub_must_know(flavour: Flavour) -> None:
    facts = front_matter(render_readme(flavour, CONTENT))
    assert (facts["title"], facts["sdk"]) == (CONTENT.title, flavour.sdk)
    assert facts["suggested_hardware"] == flavour.hardware
    assert (facts["models"], facts["preload_from_hub"]) == (["a/b"], ["a/b"])
    if flavour.sdk == "gradio":
        assert (facts["sdk_version"], facts["python_version"]) == (pinned("gradio"), "3.12")
        assert facts["app_file"] == "app.py"
    else:
        assert facts["app_port"] == 7860
    assert len(facts["short_description"]) <= 60  # the Hub's limit


@every_flavour
def test_its_settings_are_settings(flavour: Flavour, tmp_path: Path) -> None:
    build_folder(flavour, CONTENT, tmp_path / "space")
    settings = load_settings(["--config", str(tmp_path / "space/playground.toml")], {})
    assert (settings.host, settings.port, settings.default_model) == ("0.0.0.0", 7860, "pip")


def requirements(path: Path) -> dict[str, str]:
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return dict(line.split("==") for line in lines if "==" in line)


@every_flavour
def test_packages_are_pinned_to_the_playground_s_versions(flavour: Flavour) -> None:
    source = next(source for source, name in flavour.files.items() if name == "requirements.txt")
    own = requirements(ROOT / "spaces" / source)
    all_of_them = requirements(ROOT / "requirements.txt") | requirements(ROOT / "requirements-dev.txt")
    differs = {name for name, version in own.items() if all_of_them.get(name) != version}
    assert differs == ({"spaces", "torch"} if flavour.name == "zerogpu" else set())
    assert ("gradio" in own) is (flavour.sdk == "docker")  # elsewhere `sdk_version` installs it
    imported = {"huggingface_hub", "onnxruntime", "numpy", "tokenizers", "SQLAlchemy", "fastapi", "uvicorn", "regex"}
    assert imported <= set(own)


def test_what_is_too_big_is_named(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MOST_FILE_BYTES", 2500)
    with pytest.raises(ConfigError, match=r"playground/embedded/model.bin has .*--model"):
        build_folder(FLAVOURS["docker"], CONTENT, tmp_path / "one", checkout)
    monkeypatch.setattr(folders, "MOST_FILE_BYTES", 2**20)
    monkeypatch.setattr(folders, "MOST_BYTES", 1000)
    with pytest.raises(ConfigError, match=r"The folder has .*--model"):
        build_folder(FLAVOURS["docker"], CONTENT, tmp_path / "two", checkout)


def test_bad_places_are_refused(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match="not empty"):
        build_folder(FLAVOURS["cpu"], CONTENT, tmp_path / "full", checkout)
    with pytest.raises(ConfigError, match="not a git checkout"):
        build_folder(FLAVOURS["cpu"], CONTENT, tmp_path / "space", tmp_path / "full")
    (checkout / "playground/link").symlink_to("/etc/hostname")
    git(checkout, "add", ".")
    with pytest.raises(ConfigError, match="playground/link is a link"):
        build_folder(FLAVOURS["cpu"], CONTENT, tmp_path / "space", checkout)


def steps() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, with continued lines joined."""
    text = (ROOT / "spaces/docker/Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines]


def test_the_dockerfile_can_be_built_from_the_folder(tmp_path: Path) -> None:
    folder = build_folder(FLAVOURS["docker"], CONTENT, tmp_path / "space").folder
    for name, rest in steps():
        if name == "COPY":
            *sources, _ = [word for word in rest.split() if not word.startswith("--")]
            assert all((folder / source).exists() for source in sources)
            assert "--chown=user" in rest
        if name == "RUN":
            subprocess.run(["sh", "-n", "-c", rest], check=True, timeout=10)
    assert ("EXPOSE", "7860") in steps()
    assert ("CMD", '["python", "app.py"]') in steps()


def test_the_dockerfile_runs_as_user_1000_and_installs_as_that_user() -> None:
    names = [f"{name} {rest}" for name, rest in steps()]
    user = names.index("USER user")
    assert any(re.search(r"useradd .*--uid 1000 user", line) for line in names[:user])
    assert all("pip install --user" in line for line in names[user:] if line.startswith("RUN") and "pip" in line)
    assert steps()[0] == ("FROM", "python:3.12-slim")
    assert not [line for line in names if "root" in line or "sudo" in line]
