"""`python -m spaces.deploy` with the real client of the Hub against the stand-in: new, again, changed, failing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from playground.catalog.catalog import SHIPPED, Catalog
from tests.hub_spaces import Space
from tests.hub_stand_in import Fault, HubStandIn
from tests.spaces.conftest import ROOT, Deploy

NAME = "me/play"
GUARD = next(spec.id for spec in Catalog.load(SHIPPED) if not spec.offered)
# The library's own way of sending large files without `hf_xet`.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


def space(hub: HubStandIn) -> Space:
    return hub.state.spaces[NAME]


def test_a_new_space_is_made_filled_and_waited_for(
    hub: HubStandIn, deploy: Deploy, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLAYGROUND_OPERATOR_TOKEN", "very-secret")
    monkeypatch.setenv("MY_KEY", "also-secret")
    arguments = ("--flavour", "cpu", "--private", "--secret", "MY_KEY", "--variable", "A=1", "--bucket", "me/kept")
    assert deploy(NAME, *arguments, root=ROOT) == 0
    made = space(hub)
    assert (made.sdk, made.private, made.hardware) == ("gradio", True, "cpu-basic")
    assert made.variables == {"A": "1", "PLAYGROUND_SNAPSHOT_DIR": "/data/play"}
    assert made.secrets == {"PLAYGROUND_OPERATOR_TOKEN": "very-secret", "MY_KEY": "also-secret"}
    assert [(volume["source"], volume["mountPath"]) for volume in made.volumes] == [("me/kept", "/data")]
    assert hub.state.buckets == {"me/kept"}
    assert made.files["playground/server.py"] == (ROOT / "playground/server.py").read_bytes()
    model = "playground/embedded/pip/int8/model.onnx"
    assert made.files[model] == (ROOT / model).read_bytes()  # large: by LFS
    assert {"README.md", "playground.toml", "requirements.txt", ".gitattributes"} <= set(made.files)
    told = capsys.readouterr()
    assert "running at https://me-play.hf.space" in told.out
    assert "building\napp starting\nrunning\n" in told.out
    assert not [secret for secret in ("very-secret", "also-secret", hub.token) if secret in told.out + told.err]


def test_doing_it_again_changes_nothing(hub: HubStandIn, deploy: Deploy, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--flavour", "zerogpu", "--bucket", "me/kept", "--variable", "A=1")
    assert deploy(NAME, *arguments) == 0
    assert space(hub).hardware == "zero-a10g"
    hub.state.writes.clear()
    assert deploy(NAME, *arguments) == 0
    assert len(space(hub).messages) == 1
    looked = ("/preupload/", "/validate-yaml", "/api/buckets/", "/info/lfs/")
    assert [write for write in hub.state.writes if not any(part in write for part in looked)] == []
    assert "the files are there already" in capsys.readouterr().out


@pytest.mark.extended
def test_what_differs_is_changed_and_nothing_else(
    hub: HubStandIn, deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert deploy(NAME, "--flavour", "cpu", "--variable", "A=1") == 0
    made = space(hub)
    made.files["old.py"] = b"gone"
    made.secrets["MY_KEY"] = "first"
    monkeypatch.setenv("MY_KEY", "second")
    changed = ("--variable", "A=2", "--private", "--bucket", "me/kept", "--secret", "MY_KEY", "--hardware", "t4-small")
    assert deploy(NAME, "--flavour", "cpu", *changed) == 0
    assert (made.variables["A"], made.private, made.hardware) == ("2", True, "t4-small")
    assert made.volumes[0]["source"] == "me/kept"
    assert made.secrets["MY_KEY"] == "first"  # it cannot be read back: it is not touched unasked
    assert "old.py" not in made.files
    assert ".gitattributes" in made.files
    assert deploy(NAME, "--flavour", "cpu", "--secret", "MY_KEY", "--renew-secrets") == 0
    assert made.secrets["MY_KEY"] == "second"


FAILURES = {
    "build": (("BUILDING", "BUILD_ERROR"), "could not be built"),
    "run": (("BUILDING", "APP_STARTING", "RUNTIME_ERROR"), "stopped with an error"),
}


@pytest.mark.parametrize("log", FAILURES)
def test_a_space_that_fails_shows_its_log_without_secrets(
    hub: HubStandIn, deploy: Deploy, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, log: str
) -> None:
    life, words = FAILURES[log]
    monkeypatch.setenv("MY_KEY", "also-secret")
    hub.state.life = life
    hub.state.logs = {"build": ["from the build"], "run": ["from the run"]}
    hub.state.logs[log] += [f"it printed also-secret and {hub.token}"]
    assert deploy(NAME, "--flavour", "cpu", "--secret", "MY_KEY") == 1
    told = capsys.readouterr()
    assert f"from the {log}" in told.out
    assert "it printed *** and ***" in told.out
    assert words in told.err
    assert "also-secret" not in told.out + told.err


def test_waiting_has_an_end(hub: HubStandIn, deploy: Deploy, capsys: pytest.CaptureFixture[str]) -> None:
    hub.state.life = ("BUILDING",)
    hub.state.logs = {"build": ["still compiling"]}
    assert deploy(NAME, "--flavour", "cpu", "--wait-seconds", "0.05") == 1
    told = capsys.readouterr()
    assert "does not run after 0 s (stage BUILDING)" in told.err
    assert "still compiling" in told.out
    assert deploy(NAME, "--flavour", "cpu", "--no-wait") == 0


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (402, "try --flavour zerogpu"),
        (403, "may not write to me"),
        (401, "hf auth login"),
        (429, "a few minutes"),
        (500, "status 500"),
    ],
)
def test_refusals_come_with_the_next_step(
    hub: HubStandIn, deploy: Deploy, capsys: pytest.CaptureFixture[str], status: int, words: str
) -> None:
    hub.state.refusal = (status, "No.")
    assert deploy(NAME, "--flavour", "docker") == 1
    told = capsys.readouterr()
    assert words in told.err
    assert "Traceback" not in told.err
    assert hub.token not in told.out + told.err


def test_a_hub_that_breaks_half_way_is_told_and_the_next_run_goes_on(
    hub: HubStandIn, deploy: Deploy, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.faults.append(Fault("/commit/main", status=500))
    assert deploy(NAME, "--flavour", "cpu") == 1
    assert "status 500" in capsys.readouterr().err
    assert deploy(NAME, "--flavour", "cpu") == 0
    assert "app.py" in space(hub).files


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nonsense", "--flavour", "cpu"), "OWNER/NAME"),
        (("a/b", "--flavour", "cpu", "--model", "gpt-9"), "no model 'gpt-9'"),
        (("a/b", "--flavour", "cpu", "--model", GUARD), "not offered"),
        (("a/b", "--flavour", "cpu", "--secret", "NOT_SET"), "NOT_SET"),
        (("a/b", "--flavour", "cpu", "--variable", "novalue"), "NAME=VALUE"),
        (("a/b", "--flavour", "cpu", "--bucket", "novalue"), "OWNER/NAME"),
    ],
)
def test_bad_orders_are_refused_before_anything_is_sent(
    hub: HubStandIn, deploy: Deploy, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    assert deploy(*arguments) == 1
    assert words in capsys.readouterr().err
    assert hub.seen == []


def test_a_dry_run_sends_nothing_and_keeps_the_folder(hub: HubStandIn, deploy: Deploy, tmp_path: Path) -> None:
    folder = tmp_path / "space"
    assert deploy(NAME, "--flavour", "zerogpu", "--model", "qwen3-8b", "--dry-run", "--folder", str(folder)) == 0
    assert hub.seen == []
    assert 'default_model = "qwen3-8b"' in (folder / "playground.toml").read_text(encoding="utf-8")
    assert 'preload_from_hub: ["Qwen/Qwen3-8B"]' in (folder / "README.md").read_text(encoding="utf-8")


def test_gradio_does_not_take_this_folder_for_the_package_of_that_name(isolated: Path) -> None:
    code = "import spaces.flavours, sys; [sys.modules.pop(name) for name in list(sys.modules) if 'spaces' in name]\n"
    code += "from gradio import block_function\nassert block_function.spaces is None\nimport spaces.flavours"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=100)


def test_it_is_a_command_and_says_when_nobody_is_logged_in(isolated: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if "TOKEN" not in name}
    command = [sys.executable, "-m", "spaces.deploy", NAME, "--flavour", "cpu"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 1
    assert "hf auth login" in done.stderr
