from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from playground.arena.imports import read_ballots
from playground.arena.leaderboard import build_leaderboard
from playground.arena.style import FEATURES
from playground.arena.vote_files import read_table, read_votes, votes_from_table, write_votes
from playground.commands.program import main
from playground.errors import InvalidRequest

ROWS = [
    {"model_a": "mô hình, một", "model_b": "b", "winner": "model_a", "session": "s1", "prompt": "p1", "language": "vi"},
    {"model_a": "b", "model_b": "c", "winner": "tie (bothbad)", "session": "s1", "prompt": "p2", "language": "en"},
    {"model_a": "c", "model_b": "mô hình, một", "winner": "model_b", "session": "s2", "prompt": "p1", "language": "en"},
]


def counted(**counts: object) -> bytes:
    """One vote with counts of style."""
    style = {f"{name}_{side}": 1 for name in FEATURES for side in "ab"}
    return json.dumps({"model_a": "a", "model_b": "b", "winner": "tie", **style, **counts}).encode()


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_what_is_written_is_read_again(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"votes.{kind}"
    write_votes(ROWS, path)
    votes = read_votes(path)
    names = [(votes.models[a], votes.models[b]) for a, b in zip(votes.first, votes.second, strict=True)]
    assert names == [(row["model_a"], row["model_b"]) for row in ROWS]
    assert votes.winner.tolist() == [0, 3, 1]
    assert votes.session.tolist() == [0, 0, 1]
    assert votes.prompt.tolist() == [0, 1, 0]
    assert list(votes.labels["language"]) == ["vi", "en", "en"]


@pytest.mark.parametrize("kind", ["json.gz", "parquet"])
def test_the_public_arena_s_form_is_read_with_the_style_of_the_answers(tmp_path: Path, kind: str) -> None:
    def talk(answer: str) -> list[dict[str, str]]:
        return [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": answer}]

    battles = [
        {
            "question_id": "q1",
            "model_a": "vicuna-13b",
            "model_b": "koala-13b",
            "winner": "model_a",
            "judge": "arena_user_1",
            "conversation_a": talk("# Because\n- it **is**"),
            "conversation_b": talk("Because."),
            "turn": 1,
            "anony": True,
            "language": "English",
            "tstamp": 1682351591.1,
        },
        {
            "question_id": "q2",
            "model_a": "koala-13b",
            "model_b": "vicuna-13b",
            "winner": "tie",
            "judge": "arena_user_1",
            "conversation_a": talk("x"),
            "conversation_b": talk("x"),
            "turn": 1,
            "anony": True,
            "language": "English",
            "tstamp": 1682351592.1,
        },
    ]
    path = tmp_path / f"clean_battle.{kind}"
    if kind == "parquet":
        write_votes(battles, path)
    else:
        path.write_bytes(gzip.compress(json.dumps(battles).encode()))
    votes = read_votes(path)
    assert votes.session.tolist() == [0, 0]
    assert votes.styles is not None
    assert votes.styles.shape == (2, 4)
    assert (votes.styles[0] > 0).all()
    assert not votes.styles[1].any()


def test_the_public_arena_s_form_of_2025_is_read(tmp_path: Path) -> None:
    def talk(answer: str) -> list[dict[str, object]]:
        return [
            {"role": "user", "content": [{"type": "text", "text": "Why?", "image": None, "mimeType": None}]},
            {"role": "assistant", "content": [{"type": "text", "text": answer, "image": None, "mimeType": None}]},
        ]

    battles = [
        {
            "id": f"{at}",
            "model_a": "qwen3",
            "model_b": "gemma-3",
            "winner": winner,
            "evaluation_session_id": "one",
            "evaluation_order": at,
            "conversation_a": talk("# Because\n- it **is**"),
            "conversation_b": talk("Because."),
            "language": "vi",
        }
        for at, winner in enumerate(("model_b", "both_bad", "tie"))
    ]
    path = tmp_path / "train-00000.parquet"
    write_votes(battles, path)
    votes = read_votes(path)
    assert votes.winner.tolist() == [1, 3, 2]
    assert votes.session.tolist() == [0, 0, 0]
    assert votes.styles is not None
    assert build_leaderboard(votes).standings[0].model == "gemma-3"
    ballots = read_ballots(read_table(path), str)
    assert [ballot.winner for ballot in ballots] == ["model_b", "tie (bothbad)", "tie"]
    assert ballots[0].side_a.style == {"length": 21, "headers": 1, "lists": 1, "bold": 1}


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("votes.jsonl.gz", gzip.compress(b"x" * 99, mtime=0)[:12] + b"\xff" * 20, "cannot be read as votes"),
        ("votes.csv", b"model_a,model_a,model_b,winner\na,a,b,tie\n", "a column is there twice"),
        ("votes.jsonl", counted(length_a=[]), "must hold whole numbers from 0"),
        ("votes.jsonl", counted(length_a=10**30), "must hold whole numbers from 0"),
        ("votes.jsonl", counted(length_a=-1), "must hold whole numbers from 0"),
        ("votes.txt", b"", "votes are read from .csv, .json, .jsonl, .parquet"),
        ("votes.csv", b"", "Empty CSV file"),
        ("votes.csv", b"a,b\n1,2\n", "no column model_a"),
        ("votes.csv", b"model_a,model_b,winner\n", "no votes in it"),
        ("votes.csv", b"model_a,model_b,winner\na,b\n", "Expected 3 columns, got 2"),
        ("votes.csv", b"\xff\xfe\x00", "cannot be read as votes"),
        ("votes.csv", b"model_a,model_b,winner\na,b,model_c\n", "vote 1: winner is 'model_c'"),
        ("votes.jsonl", b'{"model_a": "a"\n', "cannot be read as votes"),
        ("votes.jsonl", b'{"model_a": "a", "model_b": "b"}\n', "a vote has no winner"),
        ("votes.json", b'{"model_a": "a"}', "one object for every vote"),
        ("votes.json", b"[" * 100_000, "cannot be read as votes"),
        ("votes.parquet", b"PAR1 not really", "cannot be read as votes"),
        ("votes.csv.gz", b"no gzip", "cannot be read as votes"),
    ],
)
def test_bad_files_get_a_sentence(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InvalidRequest, match=sentence):
        read_votes(path)


def test_lists_where_names_belong_are_names(tmp_path: Path) -> None:
    rows = [
        {"model_a": "a", "model_b": "b", "winner": "tie", "session": session, "prompt": prompt}
        for session, prompt in (([], [1]), (None, [2]), ([], [1]))
    ]
    path = tmp_path / "votes.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    votes = votes_from_table(read_table(path))
    assert list(votes.session) == [1, 0, 1]
    assert list(votes.prompt) == [0, 1, 0]


def test_a_missing_file_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="cannot be read"):
        read_votes(tmp_path / "none.csv")


def test_unknown_kinds_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"\.csv, \.jsonl, \.parquet"):
        write_votes(ROWS, tmp_path / "votes.xlsx")


def test_the_command_prints_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "votes.csv"
    write_votes(ROWS * 5, path)
    assert main(["arena", "ratings", "--votes", str(path)]) == 0
    assert "15 votes, 5 of them ties." in capsys.readouterr().out


def test_the_command_prints_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "votes.jsonl"
    write_votes(ROWS * 5, path)
    assert main(["arena", "ratings", "--votes", str(path), "--json", "--ties", "half", "--language", "en"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {"model", "rating", "lower", "upper", "rank", "votes"} <= set(rows[0])
    assert {row["model"]: row["votes"] for row in rows} == {"mô hình, một": 5, "b": 5, "c": 10}
    assert all(row["lower"] <= row["rating"] <= row["upper"] for row in rows)


def test_the_command_refuses_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["arena", "ratings", "--votes", str(tmp_path / "none.csv")]) == 2
    assert "none.csv cannot be read as votes" in capsys.readouterr().err
