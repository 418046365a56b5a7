"""`python -m playground arena …` on a data folder, with the models that ship."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from playground.commands.program import main
from playground.config import load_settings
from playground.services import open_votes
from playground.storage.votes import Vote

STYLES = ",".join(f"{name}_{side}" for side in "ab" for name in ("length", "headers", "lists", "bold"))
VOTES = f"""model_a,model_b,winner,judge,question_id,language,{STYLES}
a,b,model_a,ann,q1,English,10,0,0,0,20,0,1,0
b,c,tie,ann,q2,English,10,0,0,0,30,0,0,2
c,a,model_b,ben,q1,German,15,1,0,0,20,0,1,0
a,b,model_a,ben,q3,English,10,0,0,0,25,0,0,0
"""


def output(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main(["arena", *map(str, arguments)])
    shown = capsys.readouterr()
    return status, shown.out, shown.err


@pytest.fixture
def votes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PLAYGROUND_DATA_DIR", str(tmp_path / "data"))
    path = tmp_path / "votes.csv"
    path.write_text(VOTES, encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_imported_votes_are_kept_once_rated_and_exported(
    votes: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    assert output(capsys, "import", votes)[:2] == (
        0,
        "4 votes read, 4 of them new. They count where imported votes are chosen.\n",
    )
    assert "0 of them new" in output(capsys, "import", votes)[1]
    status, _, complaint = output(capsys, "ratings", "--json")
    assert (status, "no such votes" in complaint) == (2, True)
    from_file = output(capsys, "ratings", "--votes", votes, "--style-control", "--json")
    from_store = output(capsys, "ratings", "--mode", "imported", "--style-control", "--json")
    assert from_file[0] == from_store[0] == 0
    names = [row["model"] for row in json.loads(from_file[1])]
    assert names == [row["model"] for row in json.loads(from_store[1])]
    out = votes.with_name(f"out.{kind}")
    assert output(capsys, "export", out)[0] == 0
    again = output(capsys, "ratings", "--votes", out, "--style-control", "--json")
    # The bounds follow who is drawn together, and pseudonyms made for one file draw others.
    told, kept = ([{name: row[name] for name in ("model", "rating", "votes")} for row in json.loads(rows)]
                  for rows in (again[1], from_store[1]))  # fmt: skip
    assert told == kept
    assert b"ann" not in out.read_bytes()
    assert output(capsys, "export", votes.with_name("out.xls"))[0] == 2


def test_votes_on_a_model_against_itself_are_left_out_and_told(votes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = votes.with_name("odd.csv")
    odd.write_text(VOTES + "a,a,model_a,ann,q4,English,10,0,0,0,25,0,0,0\n", encoding="utf-8")
    told = "1 left out: both sides were the same model."
    assert told in output(capsys, "ratings", "--votes", odd)[1]
    status, said, _ = output(capsys, "import", odd)
    assert (status, said) == (
        0, f"4 votes read, 4 of them new. They count where imported votes are chosen. {told}\n"
    )  # fmt: skip
    assert told not in output(capsys, "export", votes.with_name("out.csv"))[1]
    store = open_votes(load_settings([]))
    store.cast(Vote(model_a="a", model_b="a", winner="tie", mode="named", session="s", prompt_hash="p"))
    assert output(capsys, "export", votes.with_name("out.csv"))[1].endswith(f"out.csv. {told}\n")


def test_a_batch_of_questions_to_the_models_that_ship(
    votes: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLAYGROUND_ENGINE_THREADS", "1")
    questions = votes.with_name("questions.txt")
    questions.write_text("What is a token?\n\nToken là gì?\n", encoding="utf-8")
    command = ("duel", "--prompts", questions, "--models", "pip,pip-fp32,echo")
    status, said, progress = output(capsys, *command)
    assert (status, said) == (
        0,
        "6 answers, 0 stopped by the safety check, 0 failed; 6 pairs to be graded on the page.\n",
    )
    assert "echo: 6 of 6 answers" in progress
    assert "token" not in progress.lower()
    assert output(capsys, *command)[1] == said
    questions = votes.with_name("questions.jsonl")
    questions.write_text('{"prompt": "Hi"}\n{"text": "Hi"}\n', encoding="utf-8")
    assert "row 2" in output(capsys, "duel", "--prompts", questions, "--models", "pip,echo")[2]
    assert output(capsys, "duel", "--prompts", votes.with_name("none"), "--models", "pip,echo")[0] == 2
