"""The program as people call it: in a process of its own for what that shows, in this one for the rest."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from playground.commands.program import main
from playground.config import load_settings
from playground.services import build

ROOT = Path(__file__).parents[2]
CANARY = "quite-secret-words"


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write(
        tmp_path / "data.csv",
        "comment_text,toxic,insult\nyou fucking cunt,1,1\nhave a nice day,0,0\nhello,0,0\nwhat a cunt,1,0\n",
    )


def output(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main(["moderation", *map(str, arguments)])
    shown = capsys.readouterr()
    return status, shown.out, shown.err


def test_help_imports_nothing_heavy(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    script = (
        "import sys\nfrom playground.commands.program import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "print(sorted(set(sys.modules) & {'gradio', 'torch', 'numpy', 'sqlalchemy', 'httpx', 'transformers'}))\n"
    )
    for arguments in (["--help"], ["moderation", "--help"], ["moderation", "evaluate", "--help"]):
        command = [sys.executable, "-c", script, *arguments]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=isolated, check=False)
        assert result.returncode == 0, result.stderr
        assert result.stdout.endswith("[]\n")


def test_as_a_module_with_a_pipe(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    command = [
        sys.executable,
        "-m",
        "playground",
        "moderation",
        "check",
        "--file",
        "-",
        "--json",
        "--direction",
        "output",
    ]
    text = "Xin chào, this is a fucking example.\n"
    result = subprocess.run(command, input=text.encode(), capture_output=True, timeout=60, cwd=isolated, check=False)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["verdict"]["action"] == "block"
    assert result.stderr == b""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["modration"], ["modration", "moderation"]),
        (["moderation", "evalute"], ["evalute", "evaluate", "check"]),
        (["moderation", "check", "--txt", "a"], ["--text"]),
        (["moderation", "policies", "--jsn"], ["--jsn"]),
        (["moderation", "check", "--text", "a", "--direction", "up"], ["up", "input", "output"]),
        ([], ["COMMAND"]),
    ],
)
def test_unknown_names_are_named(arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    shown = capsys.readouterr().err
    assert all(word in shown for word in words), shown


def test_evaluate_as_json(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("evaluate", "--data", data, "--text", "comment_text", "--label", "toxic", "--json", "--resamples", 50)
    status, out, err = output(capsys, *arguments, "--detectors", "words")
    shown = json.loads(out)
    assert (status, err) == (0, "")
    keys = "auc mean_auc average_precision f1 precision recall false_positive_rate threshold n positives"
    for part in (shown, shown["policy"], shown["detectors"]["words"]):
        assert {*keys.split(), "characters_per_second"} <= part.keys()
    assert shown["headline"] == "words"
    assert (shown["auc"], shown["f1"], shown["n"], shown["positives"]) == (1, 1, 4, 2)
    assert shown["intervals"]["auc"] == [1, 1]
    assert shown["stream"] is None
    whole = json.loads(output(capsys, *arguments)[1])
    assert whole["headline"] == "policy"
    assert set(whole["detectors"]) >= {"words", "personal_data", "secrets"}


def test_evaluate_several_labels_and_a_stream(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("evaluate", "--data", data, "--text", "comment_text", "--multi-label", "toxic,insult", "--stream", 3)
    shown = json.loads(output(capsys, *arguments, "--json", "--resamples", 20)[1])
    labels = shown["labels"]
    assert shown["mean_auc"] == pytest.approx((labels["toxic"]["auc"] + labels["insult"]["auc"]) / 2)
    assert shown["stream"]["piece"] == 3
    assert (shown["stream"]["flagged"], shown["stream"]["leaked"]) == (2, 0)
    table = output(capsys, *arguments, "--resamples", 20)[1]
    assert "mean AUC" in table
    assert "2 of 4 texts flagged, 0 leaked" in table


def test_evaluate_as_a_table_with_broken_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = f"text,label\nhello,0\n{CANARY},?\n{CANARY},0,0\nhow are you,0\n"
    arguments = ("evaluate", "--data", write(tmp_path / "d.csv", rows), "--text", "text", "--label", "label")
    status, out, err = output(capsys, *arguments)
    assert status == 0
    assert err == ""
    assert "No row is positive" in out
    assert "2 rows were left out" in out
    assert "row 3: it has 3 fields" in out
    assert CANARY not in out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--label", "toxik"], ["no column toxik", "comment_text, toxic, insult"]),
        (["--text", "txt"], ["no column txt"]),
        (["--weight", "w"], ["no column w"]),
        (["--detectors", "wrds"], ["Unknown detector wrds", "personal_data", "words"]),
        (["--detectors", ","], ["--detectors", "words"]),
        (["--category", "hats"], ["Unknown category hats", "toxicity"]),
        (["--policy", "strickt"], ["strickt", "standard, strict"]),
        (["--policy", "none.toml"], ["none.toml"]),
        (["--data", "none.csv"], ["none.csv", "cannot be read"]),
        (["--label", "comment_text"], ["no usable row", "--positive", "hello"]),
        (["--stream", "0"], ["--stream is 0"]),
        (["--stream", "1", "--direction", "input"], ["--direction output"]),
        (["--resamples", "-1"], ["--resamples is -1"]),
    ],
)
def test_evaluate_refuses_in_one_sentence(
    data: Path, options: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--data", str(data), "--text", "comment_text", *([] if "--label" in options else ["--label", "toxic"])]
    status, out, err = output(capsys, "evaluate", *arguments, *options)
    assert (status, out) == (2, "")
    assert all(word in err for word in words), err
    assert err.count("\n") == 1


def test_a_label_and_labels_exclude_each_other(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["moderation", "evaluate", "--data", str(data), "--text", "a", "--label", "b", "--multi-label", "c,d"])
    assert caught.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


def test_words_as_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "d.tsv", "text\tkind\nyou cunt\thate\nhello\tnone\nwhat a cunt\toffensive\n")
    arguments = ("evaluate", "--data", path, "--text", "text", "--label", "kind", "--detectors", "words", "--json")
    shown = json.loads(output(capsys, *arguments, "--positive", "hate", "offensive")[1])
    assert (shown["auc"], shown["positives"]) == (1, 2)


def test_check_as_a_table_and_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = "mail me@example.com, you fucking cunt"
    status, out, _ = output(capsys, "check", "--text", text)
    assert status == 0
    for words in ("words", "personal_data", "“fucking”", "“me@example.com”", "standard, input:"):
        assert words in out
    shown = json.loads(output(capsys, "check", "--text", text, "--direction", "output", "--json")[1])
    assert shown["verdict"]["action"] == "block"
    found = {scan["detector"]: scan for scan in shown["detectors"]}
    assert [finding["span"] for finding in found["personal_data"]["findings"]] == [[5, 19]]
    assert found["personal_data"]["findings"][0]["action"] == "redact"
    assert "moderation_url" in found["remote"]["error"]
    assert not found["remote"]["in_policy"]
    only = json.loads(
        output(capsys, "check", "--file", write(tmp_path / "t", text), "--detectors", "secrets", "--json")[1]
    )
    assert [scan["detector"] for scan in only["detectors"]] == ["secrets"]
    assert only["verdict"]["action"] == "allow"


def test_check_says_what_could_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = output(capsys, "check", "--text", "hello", "--detectors", "remote")
    assert status == 1
    assert "block because a check could not run" in out
    assert "Could not run: remote." in out


def test_check_refuses_bad_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert output(capsys, "check", "--file", tmp_path / "none")[::2] == (
        2, f"The file {tmp_path / 'none'} cannot be read (No such file or directory).\n",
    )  # fmt: skip
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8" in output(capsys, "check", "--file", tmp_path / "binary")[2]


def test_policies(capsys: pytest.CaptureFixture[str], isolated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {row["name"]: row for row in json.loads(output(capsys, "policies", "--json")[1])}
    assert {"standard", "strict", "lenient", "off"} <= rows.keys()
    assert [name for name, row in rows.items() if row["in_force"]] == ["standard"]
    assert Path(rows["strict"]["source"]).is_file()
    own = write(isolated / "own.toml", 'extends = "strict"\nunit = "answer"\n')
    monkeypatch.setenv("PLAYGROUND_POLICY", str(own))
    status, out, _ = output(capsys, "policies")
    assert status == 0
    assert f"* {own}" in out
    assert "releases by answer" in out
    write(own, "unit = 1")
    status, out, _ = output(capsys, "policies")
    assert status == 1
    assert "own.toml: unit" in out


def test_rules_check(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    group = "[[group]]\ncategory = 'abuse'\nscore = 1\nwords = ['zorgle', 'blue banana']\n"
    status, out, _ = output(capsys, "rules", "check", write(tmp_path / "rules.toml", group))
    assert status == 0
    assert "2 words and phrases, 0 patterns" in out
    bad = write(tmp_path / "bad.toml", "[[pattern]]\nname = 'p'\ncategory = 'harm'\nscore = 1\npattern = '(a+)+$'\n")
    status, out, err = output(capsys, "rules", "check", bad)
    assert (status, out) == (2, "")
    assert "bad.toml, [[pattern]] p is refused: it backtracks" in err


def test_own_rules_of_the_data_folder_count_everywhere(
    capsys: pytest.CaptureFixture[str], isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = isolated / "elsewhere"
    folder.mkdir()
    write(folder / "rules.toml", "[[group]]\ncategory = 'abuse'\nscore = 1\nwords = ['zorgle']\n")
    assert json.loads(output(capsys, "check", "--text", "zorgle", "--json")[1])["verdict"]["action"] == "allow"
    monkeypatch.setenv("PLAYGROUND_DATA_DIR", str(folder))
    assert json.loads(output(capsys, "check", "--text", "zorgle", "--json")[1])["verdict"]["action"] == "block"


def test_a_rules_file_that_the_policy_does_not_use_is_said(isolated: Path, caplog: pytest.LogCaptureFixture) -> None:
    (isolated / "data").mkdir()
    write(isolated / "data/rules.toml", "[[group]]\ncategory = 'abuse'\nscore = 1\nwords = ['zorgle']\n")
    own = write(isolated / "own.toml", 'extends = "standard"\n[detectors]\ninput = ["words"]\noutput = ["words"]\n')
    for policy, count in ((str(own), 1), ("standard", 0)):
        caplog.clear()
        services = build(load_settings([], {"PLAYGROUND_POLICY": policy}))
        services.close()
        assert caplog.text.count("rules.toml is not in force") == count


def test_a_bar_on_a_terminal_only(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("evaluate", "--data", data, "--text", "comment_text", "--resamples", 2)
    assert output(capsys, *arguments)[2] == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    err = output(capsys, *arguments)[2]
    assert "100%  4 of 4 rows" in err
    assert err.endswith("\r\x1b[K")
