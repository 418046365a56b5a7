"""Whatever breaks in a check, nothing passes in silence: every fault at every exit.

One detector is in the policy, and it is broken. On the way in (`typed`) nothing may be stored, titled or sent to an
engine; on the way out (`written`) nothing of what the model wrote may be shown or kept; and everywhere it is said that
the check could not run, never that somebody broke a rule.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from playground.chat.run import Run
from playground.commands.program import main
from playground.config import Settings
from playground.domain import Action, Blocked, ChatRequest, Direction, Finding, Verdict
from playground.errors import DetectorUnavailable, PolicyError
from playground.moderation.classifier import MODEL, EmbeddedClassifier
from playground.moderation.linear_model import save_model
from playground.moderation.registry import DETECTORS
from playground.services import Services, build
from playground.ui.notice_view import error_notice, verdict_notice
from playground.ui.words import load_words
from tests.catalogue import write_models
from tests.moderation.detectors import FaultyDetector

TEXT = "An entirely harmless sentence, as they come.\nAnd one more of them, after the first."
OWNER = "0" * 32


class Panicking(FaultyDetector):
    """Ends as native code does that panics: with what is no Exception."""

    def scan(self, text: str) -> list[Finding]:
        raise _Panic


class _Panic(BaseException):
    pass


# A moderation endpoint that is killed over its first question, and then is gone.
MORTAL = """
import os, signal, socket
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    connection, _ = server.accept()
    connection.recv(100)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@dataclass
class Site:
    """Where a fault is set up: a folder, and what ends with it. `settings` are further ones of the playground."""

    folder: Path
    patch: pytest.MonkeyPatch
    name: str = "faulty"
    settings: dict[str, str] = field(default_factory=dict)
    endings: list[Callable[[], object]] = field(default_factory=list)


def _faulty(detector: FaultyDetector, site: Site) -> None:
    site.patch.setitem(DETECTORS, "faulty", lambda: detector)  # type: ignore[misc]
    site.endings.append(detector.released.set)


def _model(spoil: Callable[[Path], None], site: Site) -> None:
    """The embedded classifier with files that something happened to."""
    model = site.folder / "model.npz"
    for path in (MODEL, MODEL.with_suffix(".sha256")):
        (site.folder / path.name).write_bytes(path.read_bytes())
    spoil(model)
    site.name = "embedded"
    site.patch.setitem(DETECTORS, "embedded", partial(EmbeddedClassifier, model))  # type: ignore[misc]


def _truncate(model: Path) -> None:
    model.write_bytes(model.read_bytes()[:-1000])


def _swap(model: Path) -> None:
    note = model.with_suffix(".sha256").read_bytes()
    save_model(model, EmbeddedClassifier().model)
    model.write_bytes(model.read_bytes() + b"\0")
    model.with_suffix(".sha256").write_bytes(note)


def _kill(site: Site) -> None:
    process = subprocess.Popen([sys.executable, "-c", MORTAL], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    site.name = "remote"
    site.settings["moderation_url"] = f"http://127.0.0.1:{process.stdout.readline().strip()}/v1/moderations"
    site.endings += [process.stdout.close, lambda: process.wait(10), process.kill]


FAULTS: dict[str, Callable[[Site], None]] = {
    "raises": lambda site: _faulty(FaultyDetector("raises"), site),
    "panics": lambda site: _faulty(Panicking("raises"), site),
    "hangs": lambda site: _faulty(FaultyDetector("hangs"), site),
    "returns NaN": lambda site: _faulty(FaultyDetector("nan"), site),
    "is killed": _kill,
    "file truncated": partial(_model, _truncate),
    "file swapped": partial(_model, _swap),
    "file missing": partial(_model, Path.unlink),
}


@dataclass
class Broken:
    """Two playgrounds with the broken detector: one that asks it about what is typed, one about what is written."""

    name: str
    typed: Services
    written: Services

    def ask(self, services: Services, text: str | None = TEXT, **more: str) -> Run:
        run = services.chat.start(ChatRequest(OWNER, "thinking", text, **more))  # type: ignore[arg-type]
        assert run.wait(60)
        return run

    def unchecked(self, verdict: Verdict | None, direction: Direction) -> None:
        """The verdict says that the check could not run, and so does the notice."""
        assert verdict is not None
        assert (verdict.action, verdict.direction) == (Action.BLOCK, direction)
        assert verdict.unavailable
        assert verdict.degraded == (self.name,)
        for language in ("en", "vi"):
            notice = verdict_notice(verdict, load_words(language))
            assert notice is not None
            assert notice.kind == "unavailable"


@pytest.fixture(scope="module", params=FAULTS)
def broken(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broken]:
    folder = tmp_path_factory.mktemp("broken")
    with pytest.MonkeyPatch.context() as patch:
        site = Site(folder, patch)
        FAULTS[request.param](site)
        with _built(site, "input") as typed, _built(site, "output") as written:
            yield Broken(site.name, typed, written)
        for end in reversed(site.endings):
            end()


@contextmanager
def _built(site: Site, direction: str) -> Iterator[Services]:
    lists = {"input": "[]", "output": "[]"} | {direction: f'["{site.name}"]'}
    policy = site.folder / f"{direction}.toml"
    detectors = "\n".join(f"{way} = {names}" for way, names in lists.items())
    policy.write_text(f'extends = "standard"\ntime_limit = 0.2\n[detectors]\n{detectors}\n', encoding="utf-8")
    thinking = {"thinking": {"reasoning_tags": ["<think>", "</think>"], "engine_options": {"piece_chars": 7}}}
    settings = Settings(
        data_dir=site.folder / direction,
        models_file=write_models(site.folder / "models.toml", thinking),
        default_model="thinking",
        policy=str(policy),
        **site.settings,  # type: ignore[arg-type]
    )
    services = build(settings)
    try:
        yield services
    finally:
        services.close()


def test_a_question_is_neither_asked_nor_kept(broken: Broken) -> None:
    run = broken.ask(broken.typed)
    end = run.snapshot().end
    assert isinstance(end, Blocked)
    broken.unchecked(end.verdict, Direction.INPUT)
    assert run.user_message_id is None
    assert broken.typed.chat.conversations(OWNER) == []
    assert broken.typed.pool.status() == []


def test_a_system_prompt_is_not_used(broken: Broken) -> None:
    end = broken.ask(broken.typed, system_prompt=TEXT).snapshot().end
    assert isinstance(end, Blocked)
    broken.unchecked(end.verdict, Direction.INPUT)
    with pytest.raises(DetectorUnavailable, match="system prompt stays as it was") as caught:
        broken.typed.chat.configure(OWNER, "0" * 32, system_prompt=TEXT)
    assert error_notice(caught.value, load_words("vi")).kind == "error"


def test_a_title_stays_as_it_was(broken: Broken) -> None:
    with pytest.raises(DetectorUnavailable, match="title stays as it was"):
        broken.typed.chat.rename(OWNER, "0" * 32, "A harmless title")


@pytest.mark.parametrize("thought", [False, True])
def test_an_answer_and_a_thought_are_not_shown_at_all(broken: Broken, thought: bool) -> None:
    run = broken.ask(broken.written, f"<think>{TEXT}</think>{TEXT}" if thought else TEXT)
    end = run.snapshot().end
    assert isinstance(end, Blocked)
    broken.unchecked(end.verdict, Direction.OUTPUT)
    nothing_came(broken, run)


def test_a_retry_and_an_edit_show_nothing_either(broken: Broken) -> None:
    first = broken.ask(broken.written)
    at = first.conversation_id or ""
    nothing_came(broken, broken.ask(broken.written, None, conversation_id=at, parent_id=first.user_message_id or ""))
    nothing_came(broken, broken.ask(broken.written, "Again. " + TEXT, conversation_id=at))
    nothing_came(broken, broken.ask(broken.written, conversation_id=at, parent_id=first.message_id or ""))


def nothing_came(broken: Broken, run: Run) -> None:
    """Nothing was released, and nothing is in the history; the decision is stored as a check that could not run."""
    assert (run.snapshot().text, run.snapshot().reasoning) == ("", "")
    answer = broken.written.chat.thread(OWNER, run.conversation_id or "").messages[-1]
    assert (answer.content, answer.reasoning, answer.finish_reason) == ("", "", "content_filter")
    broken.unchecked(answer.verdicts[-1], Direction.OUTPUT)
    stored = broken.written.decisions.newest(1)[0]
    assert (stored["unavailable"], stored["degraded"], stored["category"]) == (True, [broken.name], None)


@pytest.mark.parametrize("direction", list(Direction))
def test_the_workbench_and_its_test_box_say_so(broken: Broken, direction: Direction) -> None:
    services = broken.typed if direction is Direction.INPUT else broken.written
    bench = services.workbench
    seen = bench.examine(TEXT, direction, bench.policy.name, "en")
    assert (seen.action, seen.released) == (Action.BLOCK, "")
    assert seen.unavailable
    (look,) = [look for look in seen.looks if look.detector == broken.name]
    assert look.error
    (state,) = [state for state in bench.detectors() if state.name == broken.name]
    assert state.error


@pytest.mark.parametrize("direction", list(Direction))
def test_the_command_line_says_so(
    broken: Broken, direction: Direction, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    services = broken.typed if direction is Direction.INPUT else broken.written
    for name in ("data_dir", "policy", "moderation_url"):
        monkeypatch.setenv(f"PLAYGROUND_{name.upper()}", str(getattr(services.settings, name)))
    check = ["moderation", "check", "--text", TEXT, "--direction", direction.value, "--detectors", broken.name]
    assert main([*check, "--json"]) == 1
    verdict = json.loads(capsys.readouterr().out)["verdict"]
    assert (verdict["action"], verdict["unavailable"], verdict["degraded"]) == ("block", True, [broken.name])
    assert verdict["released_characters"] == 0
    assert main(check) == 1
    assert f"Could not run: {broken.name}." in capsys.readouterr().out


BAD_POLICIES = {
    "not TOML": "unit = [",
    "unknown action": 'extends = "standard"\n[output]\ntoxicity = "blok"\n',
    "unknown detector": 'extends = "standard"\n[detectors]\noutput = ["wrods"]\n',
    "unknown model": 'extends = "standard"\n[models."gone".output]\ntoxicity = "block"\n',
    "nothing said": "",
}


@pytest.mark.parametrize("content", BAD_POLICIES.values(), ids=BAD_POLICIES)
def test_with_a_broken_policy_nothing_starts_and_no_exit_is_open(content: str, tmp_path: Path) -> None:
    policy = tmp_path / "own.toml"
    policy.write_text(content, encoding="utf-8")
    with pytest.raises(PolicyError, match=r"own\.toml"):
        build(Settings(data_dir=tmp_path / "data", policy=str(policy)))


def test_the_commands_refuse_a_broken_policy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLAYGROUND_DATA_DIR", str(tmp_path / "data"))
    policy = tmp_path / "own.toml"
    policy.write_text(BAD_POLICIES["unknown action"], encoding="utf-8")
    rows = tmp_path / "rows.csv"
    rows.write_text("text\nhello\n", encoding="utf-8")
    for command in (["check", "--text", TEXT], ["evaluate", "--data", str(rows), "--text", "text"]):
        assert main(["moderation", *command, "--policy", str(policy)]) == 2
        shown = capsys.readouterr()
        assert shown.out == ""
        assert "own.toml" in shown.err


def test_a_policy_that_breaks_while_the_server_runs_changes_nothing_in_force(tmp_path: Path) -> None:
    """The gate keeps the policy it started with, and the test box uses that one too."""
    policy = tmp_path / "own.toml"
    policy.write_text('extends = "strict"\n', encoding="utf-8")
    services = build(Settings(data_dir=tmp_path / "data", policy=str(policy), default_model="echo"))
    try:
        policy.write_text("unit = [", encoding="utf-8")
        run = services.chat.start(ChatRequest(OWNER, "echo", "You motherfucker, go away."))
        end = run.snapshot().end
        assert isinstance(end, Blocked)
        assert not end.verdict.unavailable
        seen = services.workbench.examine("You motherfucker, go away.", Direction.OUTPUT, "own.toml", "en")
        assert seen.action is Action.BLOCK
    finally:
        services.close()
